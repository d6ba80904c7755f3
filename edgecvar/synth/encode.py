"""Pictures to a video file: the one place of `synth` that opens an encoder."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Dict, Iterable, Mapping, cast

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from edgecvar.errors import EdgecvarError, reason
from edgecvar.files import whole_file
from edgecvar.synth.plan import Canvas, Encoding

ENCODERS = {"h264": "libx264", "hevc": "libx265", "mpeg4": "mpeg4"}
"""By codec, what FFmpeg calls the encoder that is used."""
X265_ALONE = {"pools": "none", "frame-threads": 1, "wpp": 0, "lookahead-slices": 0, "log-level": "none"}
"""x265 on one thread, without which other machines give other bytes, and silent: it writes past FFmpeg's log."""


def encode(path: Path, pictures: Iterable[NDArray[np.uint8]], canvas: Canvas, encoding: Encoding) -> None:
    """Write uint8 RGB pictures to a file that appears whole or not at all; EdgecvarError if that fails."""
    try:
        with whole_file(path) as draft:
            _write(draft, pictures, canvas, encoding)
    except UnknownCodecError as error:
        raise EdgecvarError(f"{path}: this PyAV has no {error} encoder; install PyAV from its wheel") from error
    except (av.FFmpegError, OSError) as error:
        raise EdgecvarError(f"{path}: cannot encode {encoding.codec}: {reason(error)}") from error


def _write(path: Path, pictures: Iterable[NDArray[np.uint8]], canvas: Canvas, encoding: Encoding) -> None:
    with av.open(str(path), "w", format=encoding.container, options={"fflags": "+bitexact"}) as container:
        options = _OPTIONS[encoding.codec](encoding)
        stream = cast(VideoStream, container.add_stream(ENCODERS[encoding.codec], rate=canvas.fps, options=options))
        stream.width, stream.height, stream.pix_fmt = canvas.width, canvas.height, "yuv420p"
        stream.codec_context.gop_size = encoding.gop_length
        stream.codec_context.max_b_frames = encoding.b_pictures
        # More threads give other bytes on another machine.
        stream.codec_context.thread_count = 1
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1) / canvas.fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def x264_options(encoding: Encoding) -> Dict[str, str]:
    """What libx264 is asked for: I-pictures by GOP length only, and a quantiser that motion cannot change.

    mbtree and qcomp would give the I-pictures of calm clips a finer quantiser, which tells calm from lively
    without any motion vector; scene cuts would put I-pictures where objects jump.
    """
    settings = {
        "keyint": encoding.gop_length,
        "min-keyint": encoding.gop_length,
        "scenecut": 0,
        "bframes": encoding.b_pictures,
        "b-adapt": 0,
        "b-pyramid": "none",
        "ref": 1,
        "weightp": 0,
        "weightb": 0,
        "mbtree": 0,
        "qcomp": 1,
        "threads": 1,
        "cabac": int(encoding.cabac),
    }
    return {"preset": "veryfast", "crf": str(encoding.crf), "x264-params": joined(settings), "flags": "+bitexact"}


def x265_options(encoding: Encoding) -> Dict[str, str]:
    """What libx265 is asked for: as x264 is; cutree is what x264 calls mbtree, and its scale of `crf` is x264's."""
    settings = {
        "keyint": encoding.gop_length,
        "min-keyint": encoding.gop_length,
        "scenecut": 0,
        "open-gop": 0,
        "bframes": encoding.b_pictures,
        "b-adapt": 0,
        "b-pyramid": 0,
        "ref": 1,
        "weightp": 0,
        "weightb": 0,
        "cutree": 0,
        "qcomp": 1,
        **X265_ALONE,
    }
    return {"preset": "veryfast", "crf": str(encoding.crf), "x265-params": joined(settings), "flags": "+bitexact"}


def joined(settings: Mapping[str, object]) -> str:
    """Settings as x264 and x265 read a list of them."""
    return ":".join(f"{key}={value}" for key, value in settings.items())


def mpeg4_options(encoding: Encoding) -> Dict[str, str]:
    """What FFmpeg's MPEG-4 encoder is asked for: a constant quantiser, no I-pictures at scene cuts."""
    quantiser = str(mpeg4_quantiser(encoding.crf))
    return {"flags": "+bitexact", "qmin": quantiser, "qmax": quantiser, "sc_threshold": "1000000000"}


def mpeg4_quantiser(crf: int) -> int:
    """The MPEG-4 quantiser (step 2 q) nearest to H.264's step 0.625 x 2^(QP / 6): 2 at CRF 18, 13 at 32."""
    return min(max(round(0.3125 * 2 ** (crf / 6)), 2), 31)


_OPTIONS = {"h264": x264_options, "hevc": x265_options, "mpeg4": mpeg4_options}
