"""Opening a container: which stream, which rotation, and one clear error for everything that is not a video."""

from __future__ import annotations

import math
import os
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Tuple, Union

import av
import av.logging

from edgecvar.errors import StreamError, UnsupportedCodecError
from edgecvar.stream.ffmpeg.side_data import display_matrix

Source = Union[str, Path, BinaryIO]

CODECS = ("h264", "mpeg4", "mpeg2video", "mpeg1video", "h263", "h263p", "flv1")
_ALIASES = {"flv": "flv1", "h263i": "h263"}
_UNKNOWN_RATE = Fraction(25)
_PLAUSIBLE_RATE = 300


def source_name(source: Source) -> str:
    """How errors name the source."""
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "the given stream"))


class _Pipe:
    """A file object that cannot seek, shown to FFmpeg as one that only reads, and never waits to fill a buffer."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._read = getattr(file, "read1", file.read)

    def read(self, size: int) -> bytes:
        return self._read(size) or b""


def open_container(source: Source) -> Any:
    """The PyAV input container of a path, URL or binary file object; raises StreamError."""
    av.logging.set_level(av.logging.PANIC)
    name = source_name(source)
    target: Any = source
    if isinstance(source, (str, Path)):
        target = str(source)
        if "://" not in target:
            _check_path(Path(target))
            target = "file:" + target  # a name with a colon in it is no protocol
    elif not _seekable(source):
        target = _Pipe(source)
    try:
        return av.open(target, mode="r", metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StreamError(f"{name}: not a video that can be opened ({reason}); check the file or its URL") from error


def _check_path(path: Path) -> None:
    if path.is_dir():
        raise StreamError(f"{path}: this is a directory; give one video file")
    if not path.exists():
        raise StreamError(f"{path}: no such file")
    if not path.is_file():  # opening a named pipe would take its writer away
        if not os.access(str(path), os.R_OK):
            raise StreamError(f"{path}: cannot be read (Permission denied); check its permissions")
        return
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise StreamError(f"{path}: the file is empty (0 bytes); copy or record it again")
    except OSError as error:
        raise StreamError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _seekable(source: Source) -> bool:
    if isinstance(source, (str, Path)):
        return "://" in str(source) or Path(source).is_file()
    return hasattr(source, "seekable") and bool(source.seekable())


def remedy(container: Any, source: Source) -> str:
    """What to do about a container that opened and gave nothing that can be decoded."""
    if container.format.name.startswith("mov") and not _seekable(source):
        return (
            "in MP4 and MOV the index may stand at the end, where a pipe cannot go back from: "
            "give the file itself, or remux it (ffmpeg -i INPUT -c copy -movflags +faststart OUTPUT.mp4)"
        )
    return "check the file"


def choose_video(container: Any, name: str) -> Any:
    """The video stream to read: the longest of those that are not cover pictures; raises StreamError."""
    streams = [stream for stream in container.streams.video if stream.codec_context is not None]
    if not streams:
        kinds = sorted({str(stream.type) for stream in container.streams}) or ["no stream"]
        raise StreamError(f"{name}: no video stream (found: {', '.join(kinds)}); give a file with video")
    return max(streams, key=lambda s: (_preference(s), s.frames or 0, _area(s), -s.index))


def _area(stream: Any) -> int:
    return int(stream.codec_context.width or 0) * int(stream.codec_context.height or 0)


def _preference(stream: Any) -> int:
    """2 for a codec that gives vectors, 1 for another moving picture, 0 for stills such as cover art."""
    codec = stream.codec_context.name
    if _ALIASES.get(codec, codec) in CODECS:
        return 2
    return 0 if codec in ("mjpeg", "png", "bmp", "gif", "webp") else 1


def codec_name(stream: Any, name: str) -> str:
    """The stream's codec; raises UnsupportedCodecError for one that gives no motion vectors here."""
    codec = stream.codec_context.name
    codec = _ALIASES.get(codec, codec)
    if codec not in CODECS:
        label = {"hevc": "HEVC (H.265)", "av1": "AV1", "libdav1d": "AV1"}.get(codec, codec)
        raise UnsupportedCodecError(
            f"{name}: codec {label} gives no motion vectors here; re-encode to H.264 "
            f"(ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4); what works: {', '.join(CODECS)}"
        )
    return codec


def frame_rate(stream: Any) -> Fraction:
    """Pictures a second as the container states or guesses them; 25 where it says nothing."""
    stated = [getattr(stream, name, None) for name in ("average_rate", "guessed_rate", "base_rate")]
    rates = [Fraction(rate) for rate in stated if rate and rate > 0]
    plausible = [rate for rate in rates if rate <= _PLAUSIBLE_RATE]
    return next(iter(plausible or rates), _UNKNOWN_RATE)


def rotation_of(frame: Any) -> int:
    """Degrees counter-clockwise, a multiple of 90, that a frame's display matrix turns it by; 0 without one."""
    a, b, c, d = _display_axes(frame)
    across, down = math.hypot(a, c), math.hypot(b, d)
    if across == 0 or down == 0:
        return 0
    clockwise = math.degrees(math.atan2(b / down, a / across))
    return int(90 * round(-clockwise / 90)) % 360


def is_mirrored(frame: Any) -> bool:
    """Whether a frame's display matrix reflects it, besides any rotation."""
    a, b, c, d = _display_axes(frame)
    return a * d - b * c < 0


def _display_axes(frame: Any) -> Tuple[int, int, int, int]:
    matrix = display_matrix(frame)
    if len(matrix) < 36:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack("<5i", matrix[:20])
    return a, b, c, d
