"""A stream in one string of bytes: its extradata, then its packets, each after its length in two bytes."""

from __future__ import annotations

import struct
from typing import Iterator, Sequence


def joined(blocks: Sequence[bytes]) -> bytes:
    """The blocks, each after its length."""
    return b"".join(struct.pack(">H", len(block)) + block for block in blocks)


def blocks(data: bytes) -> Iterator[bytes]:
    """What `joined` joined; of other bytes whatever they say, the last block cut where they end."""
    place = 0
    while place + 2 <= len(data):
        size = int.from_bytes(data[place : place + 2], "big")
        yield data[place + 2 : place + 2 + size]
        place += 2 + size
