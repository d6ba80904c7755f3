"""Streams with I-pictures at known places, run past a tap as a recognition would."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import av
import numpy as np

from edgecvar.run.decisions import Decision
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip
from tests.stream.known_clips import X265

RATE = 25
GOP = 10


def clip_of(path: Path, pictures: int = 100, b_pictures: int = 0, **options: Any) -> Path:
    """25 pictures a second, an I-picture every ten; of HEVC where it is called so, or has a `codec`."""
    if path.suffix == ".hevc" or options.get("codec") == "hevc":
        parameters = f"{X265}:keyint={GOP}:min-keyint={GOP}:b-adapt=0:scenecut=0"
        options = {"codec": "hevc", "x265-params": parameters, **options}
    return moving_clip(path, pictures, g=str(GOP), keyint_min=str(GOP), bf=str(b_pictures), b_adapt="0", **options)


def decision_at(seconds: float) -> Decision:
    return Decision(seconds, 0, 0, "a", 1.0, (("a", 1.0),), 1.0, np.zeros(1, np.float32))


def units_of(packet: bytes, annex_b: bool) -> List[bytes]:
    """The NAL units of a packet, without delimiters, which a file need not keep."""
    units = []
    if annex_b:
        units = [part.rstrip(b"\0") for part in packet.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if part]
    else:
        while packet:
            size = int.from_bytes(packet[:4], "big")
            units.append(packet[4 : 4 + size].rstrip(b"\0"))
            packet = packet[4 + size :]
    return [unit for unit in units if unit[0] & 31 != 9 and unit[0] >> 1 != 35]


def source_packets(path: Path) -> List[List[bytes]]:
    """The units of each packet of a file, in decode order."""
    with av.open(str(path)) as container:
        annex_b = container.format.name != "mov,mp4,m4a,3gp,3g2,mj2"
        return [units_of(bytes(packet), annex_b) for packet in container.demux(video=0) if packet.size]


def read_through(path: Path) -> List[float]:
    """When the pictures of a file are displayed, in their order."""
    with open_stream(path) as stream:
        return sorted(picture.pts_seconds for picture in stream)
