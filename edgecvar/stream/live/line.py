"""Numbers and times of a live source's pictures, which go on over its connections."""

from __future__ import annotations

import time
from dataclasses import replace

from edgecvar.stream.types import CodedPicture


class Line:
    """Numbers and times of pictures, one after the other over all connections."""

    def __init__(self) -> None:
        self.begun = False
        self._decode = self._display = 0
        self._next_decode = self._next_display = 0
        self._shift = 0.0
        self._last = float("-inf")
        self._seen = 0.0

    def connect(self, first: CodedPicture, step: float) -> None:
        """Pictures come from another connection, from this one on; `step` is the time between two."""
        if self.begun:
            self._decode, self._display = self._next_decode, self._next_display
            # Those that are displayed before it come as well.
            ahead = max((first.display_index + 1) * step, time.perf_counter() - self._seen)
            self._shift = self._last + ahead - first.pts_seconds
        self.begun = True

    @property
    def shift(self) -> float:
        """Seconds that this connection's times are put ahead."""
        return self._shift

    def place(self, picture: CodedPicture) -> CodedPicture:
        decode, display = self._decode + picture.decode_index, self._display + picture.display_index
        seconds = picture.pts_seconds + self._shift
        self._next_decode, self._next_display = decode + 1, max(self._next_display, display + 1)
        self._last, self._seen = max(self._last, seconds), time.perf_counter()
        return replace(picture, decode_index=decode, display_index=display, pts_seconds=seconds)
