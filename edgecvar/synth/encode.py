"""How synthetic clips are encoded, so that nothing but their motion tells their class."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Dict, Iterable

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from numpy.typing import NDArray

from edgecvar.datasets.encoder import X265_ALONE, Coding, encoder, joined, mpeg4_quantiser
from edgecvar.errors import EdgecvarError, reason
from edgecvar.files import whole_file
from edgecvar.synth.plan import Canvas, Encoding


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
    options = _OPTIONS[encoding.codec](encoding)
    size = canvas.width, canvas.height
    gop = encoding.gop_length, encoding.b_pictures
    with encoder(path, Coding(encoding.codec, encoding.container, *size, canvas.fps, *gop, options)) as push:
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1) / canvas.fps
            push(frame)


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


def mpeg4_options(encoding: Encoding) -> Dict[str, str]:
    """What FFmpeg's MPEG-4 encoder is asked for: a constant quantiser, no I-pictures at scene cuts."""
    quantiser = str(mpeg4_quantiser(encoding.crf))
    return {"flags": "+bitexact", "qmin": quantiser, "qmax": quantiser, "sc_threshold": "1000000000"}


_OPTIONS = {"h264": x264_options, "hevc": x265_options, "mpeg4": mpeg4_options}
