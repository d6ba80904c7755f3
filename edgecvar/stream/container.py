"""What an opened container says of its video: which stream to read, its codec and rate, how it is displayed."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Optional, Tuple, Type

from edgecvar.errors import StreamError, UnsupportedCodecError
from edgecvar.stream.ffmpeg.side_data import display_matrix
from edgecvar.stream.sources.encryption import StreamKey
from edgecvar.stream.sources.opening import TIMEOUT, Input, Source, encryption_of, open_input, source_name

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

CODECS = ("h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "h263", "h263p", "flv1")
_ALIASES = {"flv": "flv1", "h263i": "h263"}
_UNKNOWN_RATE = Fraction(25)
_PLAUSIBLE_RATE = 300


@dataclass(frozen=True)
class OpenVideo:
    """A source's container and the video stream that is read of it; a context manager that closes the container.

    `name` is how errors name the source.
    """

    source: Source
    name: str
    input: Input
    stream: VideoStream
    codec: str
    fps: Fraction

    @property
    def container(self) -> InputContainer:
        return self.input.container

    @property
    def context(self) -> VideoCodecContext:
        """The codec context that the container has made; not yet a decoder that is set up."""
        return self.stream.codec_context

    def __enter__(self) -> OpenVideo:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the container."""
        self.input.close()


def open_video(source: Source, timeout: float = TIMEOUT, any_codec: bool = False) -> OpenVideo:
    """The video of a path, URL or binary file object; raises StreamError, UnsupportedCodecError without vectors.

    `any_codec`: of one that is to be decoded and no more, so that it need not give vectors.
    """
    name, opened = source_name(source), open_input(source, timeout)
    try:
        stream = choose_video(opened.container, name)
        scheme = encryption_of(source, opened.container.format.name, StreamKey(int(stream.id), stream.index))
        if scheme:
            raise StreamError(f"{name}: its video is encrypted ({scheme}); decrypt it first, no key is taken here")
        codec = _called(stream) if any_codec else codec_name(stream, name)
        return OpenVideo(source, name, opened, stream, codec, frame_rate(stream))
    except BaseException:
        opened.close()
        raise


def choose_video(container: InputContainer, name: str) -> VideoStream:
    """The video stream to read: the longest of those that are not cover pictures; raises StreamError."""
    streams = [stream for stream in container.streams.video if stream.codec_context is not None]
    if not streams:
        kinds = sorted({str(stream.type) for stream in container.streams}) or ["no stream"]
        raise StreamError(f"{name}: no video stream (found: {', '.join(kinds)}); give a file with video")
    chosen = max(streams, key=lambda s: (_preference(s), s.frames or 0, _area(s), -s.index))
    # A cover has no rate; a film in motion JPEG has one.
    if container.streams.audio and _preference(chosen) == 0 and not chosen.average_rate:
        raise StreamError(f"{name}: an audio file, whose only picture is its cover; give a file with video")
    return chosen


def _area(stream: VideoStream) -> int:
    return int(stream.codec_context.width or 0) * int(stream.codec_context.height or 0)


def _preference(stream: VideoStream) -> int:
    """2 for a codec that gives vectors, 1 for another moving picture, 0 for stills such as cover art."""
    codec = stream.codec_context.name
    if _ALIASES.get(codec, codec) in CODECS:
        return 2
    return 0 if codec in ("mjpeg", "png", "bmp", "gif", "webp") else 1


def codec_name(stream: VideoStream, name: str) -> str:
    """The stream's codec; raises UnsupportedCodecError for one that gives no motion vectors here."""
    codec = _called(stream)
    if codec not in CODECS:
        label = {"av1": "AV1", "libdav1d": "AV1"}.get(codec, codec)
        raise UnsupportedCodecError(
            f"{name}: codec {label} gives no motion vectors here; re-encode to H.264 "
            f"(ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4); what works: {', '.join(CODECS)}"
        )
    return codec


def _called(stream: VideoStream) -> str:
    codec = stream.codec_context.name
    return _ALIASES.get(codec, codec)


def frame_rate(stream: VideoStream) -> Fraction:
    """Pictures a second as the container states or guesses them; 25 where it says nothing.

    An average above the base rate, which all times fit, is the rate of fields, or of an AVI that leaves each other out.
    """
    stated = [getattr(stream, name, None) for name in ("average_rate", "guessed_rate", "base_rate")]
    average, base = stated[0], stated[2]
    if average and base and average > base:
        stated.reverse()
    rates = [Fraction(rate) for rate in stated if rate and rate > 0]
    plausible = [rate for rate in rates if rate <= _PLAUSIBLE_RATE]
    return next(iter(plausible or rates), _UNKNOWN_RATE)


def rotation_of(frame: VideoFrame) -> int:
    """Degrees counter-clockwise, a multiple of 90, that a frame's display matrix turns it by; 0 without one."""
    a, b, c, d = _display_axes(frame)
    across, down = math.hypot(a, c), math.hypot(b, d)
    if across == 0 or down == 0:
        return 0
    clockwise = math.degrees(math.atan2(b / down, a / across))
    return int(90 * round(-clockwise / 90)) % 360


def is_mirrored(frame: VideoFrame) -> bool:
    """Whether a frame's display matrix reflects it, besides any rotation."""
    a, b, c, d = _display_axes(frame)
    return a * d - b * c < 0


def _display_axes(frame: VideoFrame) -> Tuple[int, int, int, int]:
    matrix = display_matrix(frame)
    if len(matrix) < 36:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack("<5i", matrix[:20])
    return a, b, c, d
