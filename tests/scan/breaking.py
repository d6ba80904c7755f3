"""A file that stops being there while it is read."""

from __future__ import annotations

import io


class Breaking(io.BytesIO):
    """A file that can be read so many times, as where a server goes away."""

    def __init__(self, data: bytes, reads: int, error: Exception) -> None:
        super().__init__(data)
        self.reads, self._left, self._error = 0, reads, error

    def read(self, size=-1):
        self.reads += 1
        if self.reads > self._left:
            raise self._error
        return super().read(size)
