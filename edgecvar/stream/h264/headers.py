"""H.264 packets to slice headers, as far as references and weights need them (7.3.1, 7.3.3)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from edgecvar.stream.h264.parameter_sets import PictureSet, SequenceSet, picture_set, sequence_set
from edgecvar.stream.nal.bits import BitReader, HeaderEnded
from edgecvar.stream.nal.units import configured_units, joined_units, length_size_of, payload, split_units


@dataclass(frozen=True)
class Weight:
    """Explicit weights of one reference: (weight, offset) for y, cb, cr and the log2 denominators of luma, chroma."""

    y: Tuple[int, int]
    cb: Tuple[int, int]
    cr: Tuple[int, int]
    luma_log2: int
    chroma_log2: int

    @property
    def plain(self) -> bool:
        luma, chroma = (1 << self.luma_log2, 0), (1 << self.chroma_log2, 0)
        return self.y == luma and self.cb == chroma and self.cr == chroma


@dataclass(frozen=True)
class SliceHeader:
    """One slice header; `kind` is "I", "P" or "B" (SI and SP count as I and P)."""

    kind: str
    picture_set: PictureSet
    sequence: SequenceSet
    idr: bool
    ref_idc: int
    first_mb: int
    redundant: bool
    frame_num: int
    field: bool
    bottom: bool
    poc_lsb: int
    delta_bottom: int
    delta_poc: Tuple[int, int]
    direct_spatial: bool
    active: Tuple[int, int]
    modifications: Tuple[Tuple[Tuple[int, int], ...], Tuple[Tuple[int, int], ...]]
    weights: Tuple[Tuple[Weight, ...], Tuple[Weight, ...]]
    marking: Tuple[Tuple[int, int, int], ...]
    adaptive_marking: bool
    long_term_reference: bool


class HeaderParser:
    """Keeps the parameter sets of one stream and parses the slice headers of its packets.

    `recovery_frame_cnt` is that of the last packet's recovery point, -1 where it has none.
    """

    def __init__(self, extradata: Optional[bytes]) -> None:
        self.recovery_frame_cnt = -1
        self._set_units: Dict[Tuple[int, int], bytes] = {}
        self.sequences: Dict[int, SequenceSet] = {}
        self.pictures: Dict[int, PictureSet] = {}
        self._length_size = length_size_of(extradata)
        for unit in configured_units(extradata or b""):
            self._take_set(unit)

    @property
    def sequence(self) -> Optional[SequenceSet]:
        """The first sequence parameter set seen, if any."""
        return next(iter(self.sequences.values()), None)

    def slices(self, packet: bytes) -> List[SliceHeader]:
        """Takes in the packet's parameter sets and returns its slice headers; raises HeaderEnded on nonsense."""
        headers = []
        self.recovery_frame_cnt = -1
        for unit in split_units(packet, self._length_size):
            self._take_set(unit)
            kind = unit[0] & 31 if unit else 0
            if kind == 6:
                self.recovery_frame_cnt = max(self.recovery_frame_cnt, _recovery_frames(unit))
            elif kind in (1, 2, 5):
                header = self._slice(unit)
                if not header.redundant:
                    headers.append(header)
        return headers

    def parameter_sets(self) -> bytes:
        """All parameter sets in force, packaged as the stream's packets are."""
        return joined_units((unit for _, unit in sorted(self._set_units.items())), self._length_size)

    def _take_set(self, unit: bytes) -> None:
        """Keeps a parameter set; a damaged one is as good as absent: the slices that need it say so."""
        kind = unit[0] & 31 if unit else 0
        with suppress(HeaderEnded):
            if kind == 7:
                number, sequence = sequence_set(payload(unit, len(unit)))
                self.sequences[number] = sequence
                self._set_units[kind, number] = unit
            elif kind == 8:
                index, picture = picture_set(payload(unit, len(unit)))
                self.pictures[index] = picture
                self._set_units[kind, index] = unit

    def _slice(self, unit: bytes) -> SliceHeader:
        reader = payload(unit)
        first_mb = reader.unsigned()
        kind = "PBIPI"[reader.unsigned() % 5]
        picture = self.pictures.get(reader.unsigned())
        sequence = self.sequences.get(picture.sequence) if picture else None
        if picture is None or sequence is None:
            raise HeaderEnded("a slice names a parameter set that did not come")
        return _slice_header(reader, unit[0], first_mb, kind, picture, sequence)


def _recovery_frames(unit: bytes) -> int:
    """recovery_frame_cnt of a unit of SEI messages (7.3.2.3, D.1.8); -1 where none is a recovery point."""
    reader = payload(unit)
    try:
        while reader.left > 16:
            kind, size = _message_number(reader), _message_number(reader)
            if kind == 6:
                return reader.unsigned()
            reader.skip(8 * size)
    except HeaderEnded:
        pass
    return -1


def _message_number(reader: BitReader) -> int:
    total = 0
    while (part := reader.bits(8)) == 255:
        total += part
    return total + part


def _slice_header(
    reader: BitReader, head: int, first_mb: int, kind: str, picture: PictureSet, sequence: SequenceSet
) -> SliceHeader:
    ref_idc, idr = head >> 5 & 3, head & 31 == 5
    if sequence.separate_planes:
        reader.skip(2)
    frame_num = reader.bits(sequence.frame_num_bits)
    field = not sequence.frame_mbs_only and reader.flag()
    bottom = field and reader.flag()
    if idr:
        reader.unsigned()
    lsb, delta_bottom, delta = _picture_order(reader, picture, sequence, field)
    redundant = picture.redundant_pictures and reader.unsigned() > 0
    spatial = kind == "B" and reader.flag()
    active = _active(reader, kind, picture.default_active)
    modifications = tuple(_modification(reader) if used else () for used in active)
    explicit = picture.weighted_pred if kind == "P" else kind == "B" and picture.weighted_bipred == 1
    weights = _weight_tables(reader, active, sequence.chroma_format) if explicit else ((), ())
    adaptive, long_term, marking = _marking(reader, idr) if ref_idc else (False, False, ())
    return SliceHeader(
        kind=kind,
        picture_set=picture,
        sequence=sequence,
        idr=idr,
        ref_idc=ref_idc,
        first_mb=first_mb,
        redundant=redundant,
        frame_num=frame_num,
        field=field,
        bottom=bottom,
        poc_lsb=lsb,
        delta_bottom=delta_bottom,
        delta_poc=delta,
        direct_spatial=spatial,
        active=active,
        modifications=(modifications[0], modifications[1]),
        weights=weights,
        marking=marking,
        adaptive_marking=adaptive,
        long_term_reference=long_term,
    )


def _active(reader: BitReader, kind: str, default: Tuple[int, int]) -> Tuple[int, int]:
    """How many entries of each list the slice uses."""
    active = default
    if kind != "I" and reader.flag():
        active = (reader.unsigned() + 1, reader.unsigned() + 1 if kind == "B" else active[1])
    active = {"I": (0, 0), "P": (active[0], 0), "B": active}[kind]
    if max(active) > 32:
        raise HeaderEnded(f"{max(active)} active references")
    return active


def _picture_order(
    reader: BitReader, picture: PictureSet, sequence: SequenceSet, field: bool
) -> Tuple[int, int, Tuple[int, int]]:
    lsb = bottom = first = second = 0
    both = picture.bottom_field_order and not field
    if sequence.poc_type == 0:
        lsb = reader.bits(sequence.poc_lsb_bits)
        bottom = reader.signed() if both else 0
    elif sequence.poc_type == 1 and not sequence.delta_pic_order_always_zero:
        first = reader.signed()
        second = reader.signed() if both else 0
    return lsb, bottom, (first, second)


def _modification(reader: BitReader) -> Tuple[Tuple[int, int], ...]:
    commands: List[Tuple[int, int]] = []
    if reader.flag():
        while True:
            command = reader.unsigned()
            if command == 3:
                break
            if command > 3 or len(commands) > 66:
                raise HeaderEnded("a reference list modification that H.264 does not have")
            commands.append((command, reader.unsigned()))
    return tuple(commands)


def _weight_tables(
    reader: BitReader, active: Tuple[int, int], chroma_format: int
) -> Tuple[Tuple[Weight, ...], Tuple[Weight, ...]]:
    luma_log2 = reader.unsigned(7)
    chroma_log2 = reader.unsigned(7) if chroma_format else 0
    tables: List[Tuple[Weight, ...]] = []
    for count in active:
        table = []
        for _ in range(count):
            y = cb = cr = (0, 0)
            y = (reader.signed(), reader.signed()) if reader.flag() else (1 << luma_log2, 0)
            cb = cr = (1 << chroma_log2, 0)
            if chroma_format and reader.flag():
                cb, cr = (reader.signed(), reader.signed()), (reader.signed(), reader.signed())
            table.append(Weight(y, cb, cr, luma_log2, chroma_log2))
        tables.append(tuple(table))
    return tables[0], tables[1]


def _marking(reader: BitReader, idr: bool) -> Tuple[bool, bool, Tuple[Tuple[int, int, int], ...]]:
    if idr:
        reader.skip(1)
        return False, reader.flag(), ()
    if not reader.flag():
        return False, False, ()
    commands: List[Tuple[int, int, int]] = []
    while True:
        operation = reader.unsigned()
        if operation == 0:
            return True, False, tuple(commands)
        if operation > 6 or len(commands) > 66:
            raise HeaderEnded("a marking operation that H.264 does not have")
        first = reader.unsigned() if operation in (1, 2, 3, 4, 6) else 0
        second = reader.unsigned() if operation == 3 else 0
        commands.append((operation, first, second))
