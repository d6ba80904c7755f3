"""I-pictures that come in several packets, as GStreamer's servers have FFmpeg cut them, are one picture each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import av
import numpy as np
import pytest

from edgecvar.stream.nal.pieces import Pieces
from edgecvar.stream.nal.units import SYNTAX, joined_units, kind_of, split_units
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import X265, translation


def sliced(path: Path, slices: int, codec: str = "h264", gop: int = 8) -> Path:
    """Annex B in MPEG-TS, `slices` slices a picture; of HEVC all I-pictures but the first are CRA pictures."""
    options = f"slices={slices}:keyint={gop}:bframes=0:scenecut=0:aud=1"
    with av.open(str(path), "w") as container:
        stream = container.add_stream({"h264": "libx264", "hevc": "libx265"}[codec], rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        if codec == "h264":
            stream.codec_context.options = {"x264-params": options}
        else:
            stream.codec_context.options = {"x265-params": f"{options}:{X265}:min-keyint={gop}:ctu=16:pools=1"}
        for index, picture in enumerate(translation(24, (64, 96), (1, 0))):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut(path: Path, made: Path, codec: str = "h264") -> Path:
    """The same with the parameter sets before every slice of an I-picture, as rtph264pay and rtph265pay have them."""
    raw, syntax = b"", SYNTAX[codec]
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            sets: List[bytes] = []
            for unit in split_units(bytes(packet), None):
                unit = unit.rstrip(b"\0")
                if kind_of(unit, codec) in syntax.sets:
                    sets.append(unit)
                else:
                    raw += joined_units([*(sets if kind_of(unit, codec) in syntax.opening else []), unit], None)
    made.write_bytes(raw)
    return made


@pytest.mark.parametrize(
    ("slices", "codec", "extraction"),
    [
        *((slices, "h264", extraction) for slices in (1, 2, 4) for extraction in ("native", "ffmpeg")),
        *((slices, "hevc", "native") for slices in (1, 2, 4)),
    ],
)
def test_a_picture_is_one_however_many_packets_it_came_in(
    tmp_path: Path, slices: int, codec: str, extraction: str
) -> None:
    whole = sliced(tmp_path / "whole.ts", slices, codec)
    pieces = cut(whole, tmp_path / f"pieces.{codec}", codec)
    with av.open(str(pieces)) as container:  # the premise: there are more packets than pictures
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    if codec == "h264":
        assert len(packets) == 24 + 3 * (slices - 1)
    elif slices > 1:  # all but the first slice stand before the next picture
        kinds = [kind_of(unit, codec) for unit in split_units(packets[1], None)]
        assert len(packets) == 24 and 20 in kinds and 1 in kinds
    with open_stream(whole, extraction) as expected, open_stream(pieces, extraction) as stream:
        read, found = list(expected), list(stream)
        assert "".join(picture.kind for picture in found) == ("I" + "P" * 7) * 3
        assert (stream.summary.pictures, stream.summary.skipped, stream.summary.damaged) == (24, 0, 0)
        for one, other in zip(read, found):
            assert (one.display_index, one.kind) == (other.display_index, other.kind)
            if one.kind == "I":
                assert one.image is not None and other.image is not None and np.array_equal(one.image, other.image)
            else:
                assert one.motion is not None and other.motion is not None
                assert np.array_equal(one.motion.mv_qpel, other.motion.mv_qpel)


class Fed:
    """A packet that notes when it is asked for."""

    def __init__(self, data: bytes, keyframe: bool) -> None:
        self.data, self.is_keyframe, self.size = data, keyframe, len(data)
        self.pts = self.dts = self.time_base = None

    def __bytes__(self) -> bytes:
        return self.data


def idr(first: bool) -> bytes:
    return b"\0\0\0\1" + bytes([0x65, 0x80 if first else 0x20]) + b"data"


def test_nothing_waits_where_pictures_are_whole_nor_longer_than_it_has_to() -> None:
    fed: List[int] = []

    def packets(kinds: str) -> Any:
        for number, kind in enumerate(kinds):
            fed.append(number)
            yield Fed(idr(kind == "I") if kind in "Ii" else b"\0\0\1\x41\x9a", kind in "Ii")

    assert [len(fed) for _ in Pieces(None).joined(packets("IPPIPPI"))] == [2, 2, 3, 4, 5, 6, 7]
    fed.clear()
    # Once it is known that there are three, the third is not followed by a wait for the next picture.
    assert [len(fed) for _ in Pieces(None).joined(packets("IiiPIiiPIiPI"))] == [4, 4, 7, 8, 11, 11, 12]
