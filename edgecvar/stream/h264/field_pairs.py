"""Both fields of an H.264 frame as one packet, where a stream has a packet for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Optional, Tuple, cast

from edgecvar.stream.h264.headers import HeaderParser, SliceHeader
from edgecvar.stream.nal.bits import HeaderEnded
from edgecvar.stream.nal.composed import ComposedPacket

if TYPE_CHECKING:
    from av.packet import Packet


@dataclass(frozen=True)
class _Field:
    """What tells whether two fields are those of one frame (ITU-T H.264, 3.30)."""

    bottom: bool
    frame_num: int
    reference: bool
    idr: bool

    def is_completed_by(self, other: _Field) -> bool:
        same = (self.frame_num, self.reference) == (other.frame_num, other.reference)
        return same and self.bottom != other.bottom and not other.idr


class FieldPairs:
    """Joins packets of one field each to pairs, with the times of the first.

    A pair stays in two parts: FFmpeg's decoder, given both in one, reads the second field with the parameter sets of
    the first one although others stand between them. A field whose other one does not come next stays as it is. What is
    progressive is looked at no closer than its key packets, where an interlaced sequence may begin.
    """

    def __init__(self, extradata: Optional[bytes]) -> None:
        self._headers = HeaderParser(extradata)

    def joined(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """The packets in their order, a ComposedPacket for two of one frame."""
        first: Optional[Tuple[Packet[Any], _Field]] = None
        for packet in packets:
            field = self._field(packet)
            if first is not None:
                before, opened = first
                first = None
                if field is not None and opened.is_completed_by(field):
                    pair = ComposedPacket(before, bytes(before), bytes(packet), keyframe=before.is_keyframe)
                    yield cast("Packet[Any]", pair)
                    continue
                yield before
            if field is None:
                yield packet
            else:
                first = packet, field
        if first is not None:
            yield first[0]

    def _field(self, packet: Packet[Any]) -> Optional[_Field]:
        """The one field that is in a packet; None of a frame, of both fields, and of what cannot be read."""
        if self._headers.sequences and not (self._interlaced or packet.is_keyframe):
            return None
        try:
            slices = self._headers.slices(bytes(packet))
        except HeaderEnded:
            return None
        fields = {_field_of(header) for header in slices}
        return fields.pop() if len(fields) == 1 else None

    @property
    def _interlaced(self) -> bool:
        return any(not sequence.frame_mbs_only for sequence in self._headers.sequences.values())


def _field_of(header: SliceHeader) -> Optional[_Field]:
    if not header.field:
        return None
    return _Field(header.bottom, header.frame_num, header.ref_idc > 0, header.idr)
