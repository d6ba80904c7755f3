"""Sources that only read: pipes, which can be let go of while they are waited for, and unseekable file objects."""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO, Callable, Optional, Protocol, Union

from edgecvar.errors import StreamError, reason

POLL_SECONDS = 0.1
_CHUNK = 1 << 16


class ByteSource(Protocol):
    """What of a binary file object is needed; `seekable`, `name` and `read1` are used where there are any."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, empty at the end."""
        ...


class Unseekable:
    """A file object that cannot seek, shown to FFmpeg as one that only reads, and never waits to fill a buffer.

    `came` is the monotonic time at which bytes last came, in seconds.
    """

    def __init__(self, file: ByteSource) -> None:
        self.name = str(getattr(file, "name", "the given stream"))
        self.came = time.monotonic()
        self._file = file
        self._left = Event()
        self._read: Callable[[int], Optional[bytes]] = getattr(file, "read1", file.read)

    def leave(self) -> None:
        """End the stream here; a read that has begun comes back by itself."""
        self._left.set()

    def close(self) -> None:
        """The file object is its owner's."""

    def read(self, size: int) -> bytes:
        content = b"" if self._left.is_set() else self._read(size) or b""
        self.came = time.monotonic()
        return content


class PipeSource:
    """A pipe's bytes; `leave` ends the stream, so that a reader that waits for bytes wakes up.

    `came` is the monotonic time at which bytes last came, in seconds. `close` closes a descriptor that is `owned`.
    """

    def __init__(self, descriptor: int, name: str, owned: bool = False) -> None:
        self.name = name
        self.came = time.monotonic()
        self._descriptor = descriptor
        self._owned = owned
        self._left = Event()

    def leave(self) -> None:
        """End the stream here, also for a reader that waits in `read`."""
        self._left.set()

    def close(self) -> None:
        """Nobody reads any more."""
        if self._owned:
            self._owned = False
            os.close(self._descriptor)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (64 KiB unless given); empty at the end or once left."""
        waiting = select.poll()  # select() takes no descriptor above 1023
        waiting.register(self._descriptor, select.POLLIN)
        while not self._left.is_set():
            if waiting.poll(POLL_SECONDS * 1000):
                with suppress(BlockingIOError):  # somebody else was faster
                    content = os.read(self._descriptor, size if size > 0 else _CHUNK)
                    self.came = time.monotonic()
                    return content
        return b""


def named_pipe(path: Path) -> PipeSource:
    """The pipe or device of that name, whether anybody writes to it yet or not; raises StreamError."""
    try:
        return PipeSource(os.open(str(path), os.O_RDONLY | os.O_NONBLOCK), str(path), owned=True)
    except OSError as error:
        raise StreamError(f"{path}: cannot be read ({reason(error)}); check its permissions") from error


def pipe_of(file: Any) -> Optional[PipeSource]:
    """What reads a file object's pipe by its descriptor; None where there is no pipe behind it."""
    with suppress(OSError, AttributeError, ValueError):  # without a descriptor
        descriptor = file.fileno()
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(kind) or stat.S_ISCHR(kind):
            return PipeSource(descriptor, str(getattr(file, "name", "the given stream")))
    return None


def named_source(name: str) -> Union[str, BinaryIO]:
    """What a command's argument names: "-" is standard input; raises StreamError where that is closed."""
    if name != "-":
        return name
    if sys.stdin is None or sys.stdin.closed:
        raise StreamError("-: standard input is closed; give a file, or a pipe")
    return sys.stdin.buffer
