"""A clip of HEVC, and what is done to it: open GOPs of 9 with two B-pictures, read, cut, compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import av
import numpy as np

from edgecvar.stream.nal.units import kind_of, split_units
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture
from tests.stream.known_clips import encode_x265, translation

SIZE = (72, 104)
COUNT = 27
OPEN_GOP = "keyint=9:min-keyint=9:open-gop=1"


def whole_clip(path: Path) -> Path:
    """COUNT pictures in open GOPs of 9 with two B-pictures; Annex B, or what the name says."""
    return encode_x265(path, translation(COUNT, SIZE, (1.5, -0.5), patch=True), 28, 2, OPEN_GOP)


def read(path: Any, **settings: Any) -> List[CodedPicture]:
    with open_stream(path, **settings) as stream:
        pictures = list(stream)
        assert (stream.info.codec, stream.info.extraction) == ("hevc", "native")
        assert (stream.summary.skipped, stream.summary.damaged, stream.summary.breaks) == (0, 0, {})
    return pictures


def packets_of(path: Path) -> List[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def same(one: CodedPicture, other: CodedPicture) -> bool:
    """All but the times."""
    if (one.kind, one.display_index, one.keyframe) != (other.kind, other.display_index, other.keyframe):
        return False
    if one.kind == "I":
        return one.image is not None and np.array_equal(one.image, other.image)  # type: ignore[arg-type]
    if one.motion is None or other.motion is None or one.motion.exact != other.motion.exact:
        return False
    pairs = [(getattr(one.motion, name), getattr(other.motion, name)) for name in ("mv_qpel", "ref_offset", "intra")]
    pairs += [(getattr(one.residual, name), getattr(other.residual, name)) for name in ("y", "cb", "cr")]
    return all(np.array_equal(mine, its) for mine, its in pairs)


def cut(path: Path, made: Path, first: int, sets: bool = True) -> Path:
    """The pictures from one on, behind the parameter sets."""
    packets = packets_of(path)
    units = [unit for unit in split_units(packets[0], None) if kind_of(unit, "hevc") in (32, 33, 34)]
    made.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in units if sets) + b"".join(packets[first:]))
    return made


def key_places(path: Path) -> List[int]:
    kinds = [[kind_of(unit, "hevc") for unit in split_units(packet, None)] for packet in packets_of(path)]
    return [place for place, each in enumerate(kinds) if any(16 <= kind <= 21 for kind in each)]
