"""Any bytes as a codec's packets: the reference models follow them, and say where they cannot."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any, Dict, List

import av

from edgecvar.stream.ffmpeg.h264_model import H264Model
from edgecvar.stream.ffmpeg.headers.mpeg import header_reader
from edgecvar.stream.ffmpeg.references import AnchorModel
from edgecvar.stream.h264.headers import HeaderParser
from edgecvar.stream.nal.bits import HeaderEnded
from tests.fuzz.container import seeds as clips
from tests.fuzz.streams import blocks, joined
from tests.stream.native.make_seeds import SEEDS, encoded

CODECS = ("h264", "mpeg4", "mpeg1video", "mpeg2video", "h263", "flv1")
MOST_PACKETS = 64
MOST_MACROBLOCKS = 1 << 12
"""Of planes that are walked: a picture may be as large as its header says, and a walk takes time for each."""


def seeds() -> Dict[str, bytes]:
    """The codec's place in CODECS, then extradata and packets of every clip and of every coding tool of x264."""
    # Of HEVC there is no such model.
    found = {name: _packed(data) for name, data in clips().items() if not name.startswith("hevc")}
    for name, (profile, settings) in SEEDS.items():
        for container in ("mp4", "h264"):
            packets, extradata = encoded(container, profile, settings)
            found[f"{name}.{container}"] = b"\0" + joined([extradata, *packets])
    return found


def check(data: bytes) -> None:
    """Packets go in decode order into the model that their codec has, and every picture's plan is asked for."""
    codec = CODECS[data[0] % len(CODECS)] if data else CODECS[0]
    extradata, *packets = [*blocks(data[1:])][:MOST_PACKETS] or [b""]
    model: Any = H264Model(HeaderParser(extradata)) if codec == "h264" else AnchorModel(_Walking(codec, extradata))
    places: Dict[int, int] = {}
    for number, packet in enumerate(packets):
        model.feed(number, packet)
        if len(packet) % 7 == 6:  # as if no picture had come of it
            model.lost(number)
            continue
        places[number] = number ^ 1
        model.plan(number, "IPB"[len(packet) % 3], places)


class _Walking:
    """A codec's headers, whose planes of macroblocks are walked as the vectors of B-pictures want it."""

    def __init__(self, codec: str, extradata: bytes) -> None:
        self._reader = header_reader(codec, extradata)
        self._anchor: Any = None

    def read(self, packet: bytes) -> Any:
        style = self._reader.read(packet)
        plane = style.plane
        if plane is not None and plane.rows * plane.columns <= MOST_MACROBLOCKS:
            # As BackwardVectors does: a table may be left through its end.
            with suppress(HeaderEnded, IndexError):
                if plane.kind != "B":
                    self._anchor = plane
                elif self._anchor is not None:
                    plane.modes_and_vectors(self._anchor.skipped)
        return style


def _packed(data: bytes) -> bytes:
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        name = stream.codec_context.name
        codec = CODECS.index({"flv": "flv1"}.get(name, name))
        packets: List[bytes] = [bytes(packet) for packet in container.demux(stream) if packet.size]
        return bytes([codec]) + joined([stream.codec_context.extradata or b"", *packets])
