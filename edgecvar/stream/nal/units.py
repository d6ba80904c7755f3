"""NAL units of H.264 and HEVC, taken out of packets or configuration records, or put together as packets have them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Callable, Collection, Dict, Iterable, Iterator, Optional, Tuple

from edgecvar.stream.nal.bits import BitReader, HeaderEnded

HEADER_BYTES = 640
"""Bytes of a slice looked at: its header with 32 modifications and 32 weights fits."""
SLICES = range(1, 6)
IDR_SLICE, SEQUENCE_SET, PICTURE_SET = 5, 7, 8
"""Kinds of units (nal_unit_type) of H.264."""

Sets = Dict[Tuple[int, int], bytes]
"""Parameter sets by kind and id."""


@dataclass(frozen=True)
class UnitSyntax:
    """What is to be known of a standard's units to tell them apart.

    `head` is how many bytes their heads have; `slices`, `idr` and `sets` are kinds, `opening` those of slices that
    parameter sets are sent before. A configuration record has the size of lengths at `length_at`, and at `units_at`
    its units. `id_of` reads a set's id behind the head of a kind.
    """

    head: int
    slices: Collection[int]
    idr: Collection[int]
    opening: Collection[int]
    sets: Collection[int]
    length_at: int
    units_at: int
    id_of: Callable[[int, BitReader], int]


def _h264_id(kind: int, reader: BitReader) -> int:
    reader.skip(24 if kind == SEQUENCE_SET else 0)
    return reader.unsigned()


def _hevc_id(kind: int, reader: BitReader) -> int:
    """Behind profile_tier_level() in a sequence set (ITU-T H.265, 7.3.2.2 and 7.3.3)."""
    if kind == 32:
        return reader.bits(4)
    if kind == 33:
        reader.skip(4)
        layers = reader.bits(3)
        reader.skip(1 + 96)
        stated = [reader.bits(2) for _ in range(8)][:layers] if layers else []
        reader.skip(sum(88 * (each >> 1) + 8 * (each & 1) for each in stated))
    return reader.unsigned()


SYNTAX: Dict[str, UnitSyntax] = {
    "h264": UnitSyntax(1, SLICES, (IDR_SLICE,), (IDR_SLICE,), (SEQUENCE_SET, PICTURE_SET), 4, 5, _h264_id),
    "hevc": UnitSyntax(2, (*range(10), *range(16, 22)), (19, 20), range(16, 22), (32, 33, 34), 21, 22, _hevc_id),
}
"""By codec: ITU-T H.264 and H.265, Table 7-1; ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1."""
_SKIPPED, _TO_RADL = (8, 9), 2
"""Kinds of units of HEVC, RASL_N and RASL_R, and how far RADL_N and RADL_R are below them."""


def length_size_of(extradata: Optional[bytes], codec: str = "h264") -> Optional[int]:
    """Bytes of the length before each unit of a stream's packets; None where they have start codes (Annex B)."""
    syntax, data = SYNTAX[codec], extradata or b""
    if len(data) <= syntax.units_at + (codec == "h264"):
        return None
    # The record begins with its version; writers of HEVC's have left 0 there, and Annex B begins with two zeros.
    record = data[0] == 1 if codec == "h264" else data[0] or data[1] or data[2] > 1
    return (data[syntax.length_at] & 3) + 1 if record else None


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


def configured_units(extradata: bytes, codec: str = "h264") -> Iterator[bytes]:
    """The units of what a container has for all packets: Annex B, or a configuration record (ISO/IEC 14496-15)."""
    if length_size_of(extradata, codec) is None:
        yield from split_units(extradata, None)
        return
    hevc, position = codec == "hevc", SYNTAX[codec].units_at
    arrays = extradata[position] if hevc else 2
    position += hevc
    for array in range(arrays):
        if hevc:
            count = int.from_bytes(extradata[position + 1 : position + 3], "big")
            position += 3
        else:
            count = extradata[position] & (255 if array else 31) if position < len(extradata) else 0
            position += 1
        for _ in range(count):
            if position + 2 > len(extradata):
                return
            size = int.from_bytes(extradata[position : position + 2], "big")
            yield extradata[position + 2 : position + 2 + size]
            position += 2 + size


def kind_of(unit: bytes, codec: str = "h264") -> int:
    """Its nal_unit_type, 0 of nothing; -1 of what belongs to another layer than the base one."""
    if codec == "h264":
        return unit[0] & 31 if unit else 0
    if len(unit) < 2:
        return -1
    layer = (unit[0] & 1) << 5 | unit[1] >> 3
    return -1 if layer else unit[0] >> 1 & 63


def of_other_layers(data: bytes, length_size: Optional[int]) -> int:
    """How many units there are in a packet of HEVC that has nothing of the base layer (nuh_layer_id 0); else 0."""
    layers = [(unit[0] & 1) << 5 | unit[1] >> 3 if len(unit) > 1 else 0 for unit in split_units(data, length_size)]
    return len(layers) if all(layers) else 0


def sets_among(units: Iterable[bytes], codec: str = "h264") -> Sets:
    """The parameter sets that can be told apart."""
    sets: Sets = {}
    syntax = SYNTAX[codec]
    for unit in units:
        kind = kind_of(unit, codec)
        if kind in syntax.sets:
            with suppress(HeaderEnded):
                sets[kind, syntax.id_of(kind, payload(unit, head=syntax.head))] = unit.rstrip(b"\0")
    return sets


def set_units(sets: Sets, length_size: Optional[int]) -> bytes:
    """Parameter sets as a packet has them: those first that others refer to."""
    return joined_units((unit for _, unit in sorted(sets.items())), length_size)


def goes_on(unit: bytes, codec: str = "h264") -> bool:
    """Whether a slice is not the first one of its picture."""
    # first_mb_in_slice is 0 where its first bit, an Exp-Golomb code, is set; first_slice_segment_in_pic_flag is a bit
    head = SYNTAX[codec].head
    return len(unit) > head and unit[head] < 128


def as_decodable(packet: bytes, length_size: Optional[int]) -> bytes:
    """A packet of HEVC whose leading picture, if it may be dropped (RASL), is called one that may not (RADL).

    A decoder that begins before it, or with it, gives it out then. Its slices have the same headers (ITU-T H.265,
    7.3.6.1).
    """
    units = list(split_units(packet, length_size))
    if not any(kind_of(unit, "hevc") in _SKIPPED for unit in units):
        return packet
    called = [
        bytes([unit[0] - (_TO_RADL << 1)]) + unit[1:] if kind_of(unit, "hevc") in _SKIPPED else unit for unit in units
    ]
    return joined_units(called, length_size)


def payload(unit: bytes, limit: int = HEADER_BYTES, head: int = 1) -> BitReader:
    """The bits behind the head of a unit's first `limit` bytes, without emulation prevention."""
    return BitReader(unit[head:limit].replace(b"\x00\x00\x03", b"\x00\x00"))
