"""FLV whose header promises sound: FFmpeg looks for it through 90 seconds of stream, which a pipe brings in as many."""

from __future__ import annotations

from edgecvar.stream.sources.pipe import ByteSource

_FLAGS = 4
"""The place of the header's flags."""
_SOUND = 4


class WithoutSound:
    """The bytes of `source`, but that an FLV header promises no sound: pictures are still waited for, and all found."""

    def __init__(self, source: ByteSource) -> None:
        self.name = str(getattr(source, "name", ""))
        self._source = source
        self._head = b""

    def read(self, size: int) -> bytes:
        content = self._source.read(size)
        place = _FLAGS - len(self._head)
        if place < 0:
            return content
        self._head += content[: place + 1]
        if not self._head.startswith(b"FLV\1") or place >= len(content):
            return content
        return content[:place] + bytes([content[place] & ~_SOUND]) + content[place + 1 :]
