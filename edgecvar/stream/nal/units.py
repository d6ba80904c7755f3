"""H.264 NAL units, taken out of packets or configuration records, and put together as packets have them."""

from __future__ import annotations

from contextlib import suppress
from typing import Dict, Iterable, Iterator, Optional, Tuple

from edgecvar.stream.nal.bits import BitReader, HeaderEnded

HEADER_BYTES = 640
"""Bytes of a slice looked at: its header with 32 modifications and 32 weights fits."""
SLICES = range(1, 6)
IDR_SLICE, SEQUENCE_SET, PICTURE_SET = 5, 7, 8
"""Kinds of units (nal_unit_type)."""

Sets = Dict[Tuple[int, int], bytes]
"""Parameter sets by kind and id."""


def length_size_of(extradata: Optional[bytes]) -> Optional[int]:
    """Bytes of the length before each unit of a stream's packets; None where they have start codes (Annex B)."""
    if extradata and extradata[0] == 1 and len(extradata) > 6:
        return (extradata[4] & 3) + 1
    return None


def split_units(data: bytes, length_size: Optional[int]) -> Iterator[bytes]:
    """The NAL units of a packet: Annex B where `length_size` is None, else length-prefixed."""
    if length_size is None:
        start = data.find(b"\x00\x00\x01")
        while start >= 0:
            following = data.find(b"\x00\x00\x01", start + 3)
            yield data[start + 3 : following if following >= 0 else len(data)]
            start = following
        return
    position = 0
    while position + length_size <= len(data):
        size = int.from_bytes(data[position : position + length_size], "big")
        position += length_size
        yield data[position : position + size]
        position += size


def joined_units(units: Iterable[bytes], length_size: Optional[int]) -> bytes:
    """The units as a packet has them; one whose length `length_size` bytes cannot say is left out."""
    if length_size is None:
        return b"".join(b"\0\0\0\1" + unit for unit in units)
    most = 1 << 8 * length_size
    return b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in units if len(unit) < most)


def configured_units(extradata: bytes) -> Iterator[bytes]:
    """The units of what a container has for all packets: Annex B, or a configuration record (ISO/IEC 14496-15)."""
    if length_size_of(extradata) is None:
        yield from split_units(extradata, None)
        return
    position = 5
    for mask in (31, 255):
        count = extradata[position] & mask if position < len(extradata) else 0
        position += 1
        for _ in range(count):
            size = int.from_bytes(extradata[position : position + 2], "big")
            yield extradata[position + 2 : position + 2 + size]
            position += 2 + size


def kind_of(unit: bytes) -> int:
    """Its nal_unit_type, 0 of nothing."""
    return unit[0] & 31 if unit else 0


def sets_among(units: Iterable[bytes]) -> Sets:
    """The parameter sets that can be told apart."""
    sets: Sets = {}
    for unit in units:
        kind = kind_of(unit)
        if kind in (SEQUENCE_SET, PICTURE_SET):
            with suppress(HeaderEnded):
                reader = payload(unit)
                reader.skip(24 if kind == SEQUENCE_SET else 0)
                sets[kind, reader.unsigned()] = unit.rstrip(b"\0")
    return sets


def payload(unit: bytes, limit: int = HEADER_BYTES) -> BitReader:
    """The bits behind the head of a unit's first `limit` bytes, without emulation prevention."""
    return BitReader(unit[1:limit].replace(b"\x00\x00\x03", b"\x00\x00"))
