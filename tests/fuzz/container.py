"""Any bytes as a video file: read to its end, or refused by one EdgecvarError."""

from __future__ import annotations

import io
import math
from fractions import Fraction
from typing import Dict, Tuple

import av

from edgecvar.errors import EdgecvarError
from edgecvar.stream.reader import open_stream
from tests.stream.native.make_seeds import HEVC_PARAMETERS, images

X264 = "threads=1:lookahead-threads=1:scenecut=0:b-adapt=0:bframes=2:ref=2"
X265 = f"{HEVC_PARAMETERS}:bframes=2:keyint=6"

# Container, codec, options of the codec, options of the container.
CLIPS: Dict[str, Tuple[str, str, Dict[str, str], Dict[str, str]]] = {
    "h264.mp4": ("mp4", "libx264", {"x264-params": X264}, {}),
    "fragments.mp4": ("mp4", "libx264", {"x264-params": X264}, {"movflags": "frag_keyframe+empty_moov"}),
    "h264.ts": ("mpegts", "libx264", {"x264-params": X264}, {}),
    "h264.mkv": ("matroska", "libx264", {"x264-params": X264}, {}),
    "h264.avi": ("avi", "libx264", {"x264-params": X264 + ":bframes=0"}, {}),
    "interlaced.ts": ("mpegts", "libx264", {"x264-params": X264 + ":interlaced=1"}, {}),
    "hevc.mp4": ("mp4", "libx265", {"x265-params": X265}, {}),
    "hevc.ts": ("mpegts", "libx265", {"x265-params": X265 + ":slices=2:wpp=1:pools=1"}, {}),
    "hevc.mkv": ("matroska", "libx265", {"x265-params": X265 + ":open-gop=0"}, {}),
    "mpeg4.avi": ("avi", "mpeg4", {"bf": "2"}, {}),
    "mpeg4.mp4": ("mp4", "mpeg4", {"bf": "1", "flags": "+qpel+mv4"}, {}),
    "mpeg2.ts": ("mpegts", "mpeg2video", {"bf": "2"}, {}),
    "flv1.flv": ("flv", "flv", {}, {}),
}


def seeds() -> Dict[str, bytes]:
    """A clip of eight pictures of 48 x 32 in every container and codec."""
    return {name: _clip(*clip) for name, clip in CLIPS.items()}


def check(data: bytes) -> None:
    """Every picture's content is asked for; times are numbers, and no two pictures are shown in one place."""
    # Both ways of reading, by something of the input that mutation changes.
    extraction = "ffmpeg" if len(data) % 2 else "auto"
    places = set()
    try:
        with open_stream(io.BytesIO(data), extraction) as stream:
            for picture in stream:
                assert math.isfinite(picture.pts_seconds), picture
                assert picture.display_index not in places, picture
                places.add(picture.display_index)
                for content in ("motion", "weights", "residual", "image"):
                    _ask(picture, content)
    except EdgecvarError as error:
        assert "\n" not in str(error), error


def _ask(picture: object, content: str) -> None:
    try:
        getattr(picture, content)
    except EdgecvarError as error:
        assert "\n" not in str(error), error


def _clip(container: str, codec: str, options: Dict[str, str], muxing: Dict[str, str]) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=muxing) as output:
        stream = output.add_stream(codec, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.options = {"threads": "1", "g": "6", **options}
        for image in images(8):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode(None))
    return file.getvalue()
