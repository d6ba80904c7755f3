"""Both fields of an H.264 frame as one packet, where a stream has a packet for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterable, Iterator, List, Optional, Tuple, cast

import av

from edgecvar.stream.ffmpeg.headers.bits import HeaderEnded
from edgecvar.stream.ffmpeg.headers.h264 import HeaderParser, SliceHeader

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


class FieldPair:
    """The packets of both fields of a frame, which whoever reads packets takes for one, with the times of the first.

    A decoder is to have its `parts`: FFmpeg's, given both in one, reads the second field with the parameter sets of the
    first one although others stand between them.
    """

    def __init__(self, first: Packet[Any], second: Packet[Any]) -> None:
        self._fields = (first, second)
        self.pts, self.dts, self.time_base = first.pts, first.dts, first.time_base
        self.is_keyframe = first.is_keyframe
        self.is_discard = bool(getattr(first, "is_discard", False))
        self.size = first.size + second.size

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self._fields))

    def parts(self) -> List[Packet[Any]]:
        """A packet for each field, with the pair's times as they are now."""
        parts = [av.Packet(bytes(field)) for field in self._fields]
        for part in parts:
            part.pts, part.dts = self.pts, self.dts
        return parts


class FieldPairs:
    """Joins packets of one field each to pairs.

    A field whose other one does not come next stays as it is. What is progressive is looked at no closer than its key
    packets, where an interlaced sequence may begin.
    """

    def __init__(self, extradata: Optional[bytes]) -> None:
        self._headers = HeaderParser(extradata)

    def joined(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """The packets in their order, a FieldPair for two of one frame."""
        first: Optional[Tuple[Packet[Any], _Field]] = None
        for packet in packets:
            field = self._field(packet)
            if first is not None:
                before, opened = first
                first = None
                if field is not None and opened.is_completed_by(field):
                    yield cast("Packet[Any]", FieldPair(before, packet))
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
