"""Standard input as a video source that can be let go of while it is waited for."""

from __future__ import annotations

import os
import select
from threading import Event
from typing import Any, BinaryIO

POLL_SECONDS = 0.1


class PipeSource:
    """A pipe's bytes for `open_stream`; `leave` ends the stream, so that a reader that waits for bytes wakes up.

    Ctrl-C while the main thread reads ends the stream too; `interrupted` then says so.
    """

    def __init__(self, pipe: BinaryIO, name: str = "<stdin>") -> None:
        self.name = name
        self.interrupted = False
        self._descriptor = pipe.fileno()
        self._left = Event()

    def leave(self) -> None:
        """End the stream here, also for a reader that waits in `read`."""
        self._left.set()

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (64 KiB unless given); empty at the end or once left."""
        try:
            while not self._left.is_set():
                ready, _, _ = select.select([self._descriptor], [], [], POLL_SECONDS)
                if ready:
                    return os.read(self._descriptor, size if size > 0 else 1 << 16)
        except KeyboardInterrupt:
            # FFmpeg, which called this, would print the error, forget it and try again.
            self.interrupted = True
            self.leave()
        return b""


def binary_source(stdin: BinaryIO) -> Any:
    """What to give `open_stream` for standard input: the file itself where it can be searched, else a PipeSource."""
    return stdin if stdin.seekable() else PipeSource(stdin)
