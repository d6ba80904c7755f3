"""Clips with known I-pictures, and devices that give them, or fail in every way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Iterator, List, Sequence, Tuple

import numpy as np
import pytest

from edgecvar.errors import DeviceError, StreamError
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.decoders import KeyDecoder
from edgecvar.stream.images.choice import Candidate
from edgecvar.stream.images.decoder import CodedPlanes
from edgecvar.stream.images.gst import missing_elements
from edgecvar.stream.images.keys import _exact
from edgecvar.stream.native import _core
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import StreamInfo, StreamSummary
from tests.stream.known_clips import encode_x264, encode_x265, translation

OPEN_GOP = "keyint=6:min-keyint=2:open-gop=1"
SUFFIX = {"h264": "mp4", "hevc": "mkv"}
"""Of clips by codec."""


def without_gstreamer() -> str:
    """Why tests of it are left out, empty where they are not."""
    try:
        missing = missing_elements(["h264parse", "avdec_h264", "h265parse", "avdec_h265"])
    except DeviceError as error:
        return str(error)
    return f"GStreamer has no {', no '.join(missing)}" if missing else ""


NEEDS_GSTREAMER = pytest.mark.skipif(bool(without_gstreamer()), reason=without_gstreamer())


def clip(
    path: Path, extra: str = OPEN_GOP, b_pictures: int = 2, size: Tuple[int, int] = (70, 90), codec: str = "h264"
) -> Path:
    """24 pictures, at least four of them I-pictures."""
    encode = encode_x264 if codec == "h264" else encode_x265
    return encode(path, translation(24, size, (1.5, -0.5), patch=True), 24, b_pictures, extra)


def coded(path: Path, most: int = 1000) -> Iterator[Tuple[bytes, CodedPlanes, str]]:
    """The rewritten I-pictures of a file, their planes as software gives them of the original, and the codec."""
    with open_stream(path, extraction="native", threads=1, on_demand=True) as stream:
        writer = _core.IdrWriter(stream.info.codec, stream._video.context.extradata or b"")
        for picture in stream:
            if picture.kind != "I":
                continue
            key = picture.content._imaged
            frame = key.images.frame(key.sets, key.packet)
            yield writer.write(key.sets, key.packet), _exact(frame), stream.info.codec
            most -= 1
            if not most:
                return


def same(mine: CodedPlanes, true: CodedPlanes) -> bool:
    return all(np.array_equal(one, other) for one, other in ((mine.y, true.y), (mine.cb, true.cb), (mine.cr, true.cr)))


def read(path: Path, decoder: str) -> Tuple[StreamInfo, List[ShownPlanes], StreamSummary]:
    """What a stream tells, the planes of its I-pictures, and its summary."""
    with open_stream(path, decoder=decoder, threads=1) as stream:
        planes = [picture.planes.copy() for picture in stream if picture.planes is not None]
        return stream.info, planes, stream.summary


def equal(one: Sequence[ShownPlanes], other: Sequence[ShownPlanes]) -> bool:
    return len(one) == len(other) and all(
        (a.matrix, a.full) == (b.matrix, b.full)
        and all(np.array_equal(x, y) for x, y in ((a.y, b.y), (a.cb, b.cb), (a.cr, b.cr)))
        for a, b in zip(one, other)
    )


class Fake:
    """A device that decodes in software, until its picture `from_picture`, of which `way` says what goes wrong."""

    def __init__(self, way: str = "", from_picture: int = 0, codec: str = "h264") -> None:
        import av

        if way == "absent":
            raise DeviceError("it is not here")
        self._decoder = KeyDecoder(av.CodecContext.create(codec, "r"))
        self._way, self._from = way, from_picture
        self.pictures, self.closed = 0, False

    def decode(self, unit: bytes, seconds: float) -> CodedPlanes:
        way = self._way if self.pictures >= self._from else ""
        self.pictures += 1
        planes = _exact(self._decoder.frame(b"", unit))
        if way == "refuses":
            raise StreamError("it refuses")
        if way == "breaks":
            raise OSError(5, "Input/output error")
        if way == "hangs":
            until = time.monotonic() + 30
            while time.monotonic() < until and not self.closed:
                time.sleep(0.01)
        if way == "wrong":
            return CodedPlanes(255 - planes.y, planes.cb, planes.cr)
        if way == "small":
            return CodedPlanes(planes.y[:32, :32], planes.cb[:16, :16], planes.cr[:16, :16])
        return planes

    def close(self) -> None:
        self.closed = True


def offer(monkeypatch: pytest.MonkeyPatch, *devices: Tuple[str, Any]) -> None:
    """These alone are what decoders are chosen from."""
    found = [Candidate(name, begin) for name, begin in devices]
    monkeypatch.setattr(
        "edgecvar.stream.images.keys.candidates", lambda decoder, codec: found if decoder != "software" else []
    )
