"""Sources that only read: standard input, which can be let go of while it is waited for, and unseekable files."""

from __future__ import annotations

import os
import select
from contextlib import contextmanager
from threading import Event
from typing import BinaryIO, Callable, Iterator, Optional, Protocol, Union

from edgecvar.interrupts import held_interrupt

POLL_SECONDS = 0.1
_CHUNK = 1 << 16


class ByteSource(Protocol):
    """What of a binary file object is needed; `seekable`, `name` and `read1` are used where there are any."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, empty at the end."""
        ...


class Unseekable:
    """A file object that cannot seek, shown to FFmpeg as one that only reads, and never waits to fill a buffer."""

    def __init__(self, file: ByteSource) -> None:
        self._file = file
        self._read: Callable[[int], Optional[bytes]] = getattr(file, "read1", file.read)

    def read(self, size: int) -> bytes:
        return self._read(size) or b""


class PipeSource:
    """A pipe's bytes for `open_stream`; `leave` ends the stream, so that a reader that waits for bytes wakes up.

    Inside `interruptible` Ctrl-C ends the stream too, and is raised when that is left.
    """

    def __init__(self, pipe: BinaryIO, name: str = "<stdin>") -> None:
        self.name = name
        self._descriptor = pipe.fileno()
        self._left = Event()

    def leave(self) -> None:
        """End the stream here, also for a reader that waits in `read`."""
        self._left.set()

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (64 KiB unless given); empty at the end or once left."""
        while not self._left.is_set():
            ready, _, _ = select.select([self._descriptor], [], [], POLL_SECONDS)
            if ready:
                return os.read(self._descriptor, size if size > 0 else _CHUNK)
        return b""

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """For the main thread while it reads: Ctrl-C leaves the pipe, and KeyboardInterrupt is raised at the end.

        FFmpeg, which calls `read`, would print an exception from there, forget it and try again.
        """
        with held_interrupt(self.leave):
            yield


def binary_source(stdin: BinaryIO) -> Union[BinaryIO, PipeSource]:
    """What to give `open_stream` for standard input: the file itself where it can be searched, else a PipeSource."""
    return stdin if stdin.seekable() else PipeSource(stdin)
