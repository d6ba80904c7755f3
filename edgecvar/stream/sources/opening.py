"""Opening a source: one clear error for everything that is not a video, and nothing that waits without end."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Iterator, Optional, Protocol, Union, cast
from urllib.parse import unquote, urlsplit

from edgecvar.errors import StreamError, reason
from edgecvar.stream.sources.address import is_live, open_address
from edgecvar.stream.sources.attempt import Attempt
from edgecvar.stream.sources.demuxing import demuxed, open_container
from edgecvar.stream.sources.detached import DetachedInput
from edgecvar.stream.sources.encryption import StreamKey, encryption
from edgecvar.stream.sources.flv import WithoutSound
from edgecvar.stream.sources.passwords import without_password as without_password
from edgecvar.stream.sources.pipe import ByteSource, PipeSource, Unseekable, named_pipe, pipe_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


@dataclass(frozen=True)
class LiveSource:
    """A URI that is opened for an `attempt`, which can be left meanwhile."""

    uri: str
    attempt: Attempt

    @property
    def name(self) -> str:
        return self.attempt.name


Source = Union[str, Path, ByteSource, LiveSource]
TIMEOUT = 10.0
"""Seconds without data after which a source is given up, unless said otherwise."""
LONGEST = 86_400
_BARE = {".265": "hevc", ".h265": "hevc", ".hevc": "hevc"}
"""FFmpeg's demuxers of bare streams, which it does not know where they have several layers, or are cut off."""


class Input(Protocol):
    """An open container, and the packets of one of its streams; `at_hand` where none of them keeps one waiting."""

    container: InputContainer
    at_hand: bool

    def packets(self, stream: VideoStream) -> Iterator[Packet[Any]]:
        """The stream's packets; raises StreamError where none comes in time."""
        ...

    def leave(self) -> None:
        """No more packets, also for a reader that waits for one; from any thread."""
        ...

    def close(self) -> None:
        """Let go of the container, which nobody reads any more."""
        ...


class FileInput:
    """A container that does not keep one waiting."""

    at_hand = True

    def __init__(self, container: InputContainer) -> None:
        self.container = container
        self._left = False

    def packets(self, stream: VideoStream) -> Iterator[Packet[Any]]:
        for packet in demuxed(self.container, stream):
            if self._left:
                return
            yield packet

    def leave(self) -> None:
        self._left = True

    def close(self) -> None:
        self.container.close()


def _open_stored(path: Path, name: str) -> InputContainer:
    address = f"file:{path}"  # a name with a colon in it is no protocol
    try:
        return open_container(address, name)
    except StreamError:
        demuxer = _BARE.get(path.suffix.lower())
        if demuxer is None:
            raise
        return open_container(address, name, demuxer=demuxer)


def source_name(source: Source) -> str:
    """How errors name the source; a password in a URL is left out."""
    if isinstance(source, (str, Path)):
        return without_password(str(source))
    return str(getattr(source, "name", "the given stream"))


def open_input(source: Source, timeout: float = TIMEOUT) -> Input:
    """The input of a path, URL or binary file object, given up after `timeout` s without data; raises StreamError."""
    if not (isinstance(timeout, (int, float)) and 0 < timeout <= LONGEST):
        raise StreamError(f"timeout={timeout!r}: expected seconds, more than 0 and at most {LONGEST}")
    if isinstance(source, LiveSource):
        return open_address(source.uri, source.attempt.name, timeout, source.attempt)
    name = source_name(source)
    if isinstance(source, (str, Path)):
        path = path_of(source)
        if path is None:
            return open_address(str(source), name, timeout)
        _check_path(path)
        if _stored(path):
            return FileInput(_open_stored(path, name))
        pipe: Union[PipeSource, Unseekable] = named_pipe(path)
    elif _seekable(source):
        return FileInput(open_container(source, name))
    else:
        pipe = pipe_of(source) or Unseekable(source)
    return DetachedInput(name, lambda: open_container(WithoutSound(pipe), name), timeout, pipe)


def path_of(source: Union[str, Path]) -> Optional[Path]:
    """The path that is meant, also by a file: URL; None for another URL."""
    text = str(source)
    if isinstance(source, Path) or os.path.exists(text):
        return Path(text)
    if text.startswith("file:"):
        return Path(unquote(urlsplit(text).path)) if text.startswith("file://") else Path(text[len("file:") :])
    return None if "://" in text else Path(text)


def read_once(name: str) -> bool:
    """Whether what an argument names can be read once only: standard input, a pipe, a device, a live source."""
    if is_live(name):
        return True
    path = None if name == "-" else path_of(name)
    return name == "-" or (path is not None and os.path.exists(path) and not (path.is_file() or path.is_dir()))


def is_source(name: str, target: Path) -> bool:
    """Whether a file to be written is the one that a command's argument names."""
    path = None if name == "-" else path_of(name)
    return path is not None and os.path.exists(path) and os.path.exists(target) and os.path.samefile(path, target)


def encryption_of(source: Source, container: str, stream: StreamKey) -> str:
    """The scheme that a file's stream is encrypted with (see `encryption`); empty where it is not, or is no file."""
    if not _seekable(source):
        return ""
    with suppress(OSError, OverflowError, ValueError):
        if not isinstance(source, (str, Path)):
            return encryption(cast(BinaryIO, source), container, stream)
        path = path_of(source)
        if path is not None:
            with path.open("rb") as file:
                return encryption(file, container, stream)
    return ""


def remedy(container: InputContainer, source: Source) -> str:
    """What to do about a container that opened and gave nothing that can be decoded."""
    if container.format.name.startswith("mov") and not _seekable(source):
        return (
            "in MP4 and MOV the index may stand at the end, where a pipe cannot go back from: "
            "give the file itself, or remux it (ffmpeg -i INPUT -c copy -movflags +faststart OUTPUT.mp4)"
        )
    return "check the file"


def _check_path(path: Path) -> None:
    try:
        if path.is_dir():
            raise StreamError(f"{path}: this is a directory; give one video file")
        if not path.exists():
            raise StreamError(f"{path}: no such file")
        if not path.is_file():  # opening a named pipe would take its writer away
            return
        descriptor = os.open(str(path), os.O_RDONLY | os.O_NONBLOCK)
        try:
            with suppress(BlockingIOError):
                if not os.read(descriptor, 1):
                    raise StreamError(f"{path}: the file is empty (0 bytes); copy or record it again")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StreamError(f"{path}: cannot be read ({reason(error)}); check its name and permissions") from error


def _stored(path: Path) -> bool:
    """Whether a path is a file that lies there whole: one of the kernel's has 0 bytes, and may wait as a pipe does."""
    return path.is_file() and path.stat().st_size > 0


def _seekable(source: Source) -> bool:
    if isinstance(source, (str, Path)):
        path = path_of(source)
        return path is None or _stored(path)
    return hasattr(source, "seekable") and bool(source.seekable())
