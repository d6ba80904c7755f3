"""Pictures to a video file by FFmpeg's encoders: the one place that opens them for data to train on.

One thread an encoder: more give other bytes on another machine.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterator, Mapping, Optional, cast

import av

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

ENCODERS = {"h264": "libx264", "hevc": "libx265", "mpeg4": "mpeg4"}
"""By codec, what FFmpeg calls the encoder that is used."""
X265_ALONE = {"pools": "none", "frame-threads": 1, "wpp": 0, "lookahead-slices": 0, "log-level": "none"}
"""x265 on one thread, without which other machines give other bytes, and silent: it writes past FFmpeg's log."""
FINEST = 65535
"""Parts of a second, at most, that MPEG-4 part 2 counts in."""

Push = Callable[[Optional["VideoFrame"]], None]


@dataclass(frozen=True)
class Coding:
    """What is asked of an encoder: `codec` of ENCODERS, `container` as FFmpeg calls it, the encoder's own `options`."""

    codec: str
    container: str
    width: int
    height: int
    fps: Fraction
    gop_length: int
    b_pictures: int
    options: Mapping[str, str]


@contextmanager
def encoder(path: Path, coding: Coding) -> Iterator[Push]:
    """Takes the frames of a file, with their times; it is whole once this is left without an error.

    Raises UnknownCodecError where PyAV lacks the encoder, FFmpegError and OSError.
    """
    with av.open(str(path), "w", format=coding.container, options={"fflags": "+bitexact"}) as container:
        added = container.add_stream(ENCODERS[coding.codec], rate=coding.fps, options=dict(coding.options))
        stream = cast("VideoStream", added)
        stream.width, stream.height, stream.pix_fmt = coding.width, coding.height, "yuv420p"
        context = stream.codec_context
        context.gop_size, context.max_b_frames = coding.gop_length, coding.b_pictures
        context.thread_count = 1

        def push(frame: Optional[VideoFrame]) -> None:
            container.mux(stream.encode(frame))

        yield push
        push(None)


def countable(fps: Fraction) -> Fraction:
    """The rate itself, or the nearest one that MPEG-4 part 2 can count in."""
    return fps.limit_denominator(max(1, int(FINEST / fps)))


def joined(settings: Mapping[str, object]) -> str:
    """Settings as x264 and x265 read a list of them."""
    return ":".join(f"{key}={value}" for key, value in settings.items())


def mpeg4_quantiser(crf: int) -> int:
    """The MPEG-4 quantiser (step 2 q) nearest to H.264's step 0.625 x 2^(QP / 6): 2 at CRF 18, 13 at 32."""
    return min(max(round(0.3125 * 2 ** (crf / 6)), 2), 31)
