"""Pictures that FFmpeg has cut into several packets: it does where parameter sets stand between slices of one.

GStreamer's rtph264pay puts them before every IDR slice, and encoders without delay make several of a picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Iterator, List, Optional, cast

from edgecvar.stream.nal.composed import ComposedPacket
from edgecvar.stream.nal.units import IDR_SLICE, SLICES, kind_of, length_size_of

if TYPE_CHECKING:
    from av.packet import Packet

_START = b"\0\0\1"


class Pieces:
    """Joins the packets of one IDR picture, with the times of the first that has some.

    The first key packet waits for what comes after it, and tells how many pieces a picture has; where it has one,
    nothing waits any more, else a picture does until it has as many.
    """

    def __init__(self, extradata: Optional[bytes]) -> None:
        self._pieces = 0 if length_size_of(extradata) is None else 1

    def joined(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """The packets in their order, a ComposedPacket for several of one picture."""
        waiting: List[Packet[Any]] = []
        for packet in packets:
            if waiting and _slices_after(packet) is not None:
                waiting.append(packet)
                if len(waiting) == self._pieces:
                    yield _whole(waiting)
                    waiting = []
                continue
            if waiting:
                self._pieces = len(waiting)
                yield _whole(waiting)
                waiting = []
            if self._pieces == 1 or not packet.is_keyframe:
                yield packet
            else:
                waiting = [packet]
        if waiting:
            yield _whole(waiting)


def _slices_after(packet: Packet[Any]) -> Optional[bytes]:
    """The slices of a packet that goes on with an IDR picture; None where it begins another."""
    data = bytes(packet)
    at = data.find(_START)
    while 0 <= at < len(data) - 4:
        unit = data[at + 3 : at + 5]
        if kind_of(unit) in SLICES:
            # first_mb_in_slice is 0 where its first bit, an Exp-Golomb code, is set
            goes_on = kind_of(unit) == IDR_SLICE and unit[1] < 128
            return data[at:] if goes_on else None
        at = data.find(_START, at + 3)
    return None


def _whole(pieces: List[Packet[Any]]) -> Packet[Any]:
    first, *others = pieces
    if not others:
        return first
    timed = next((each for each in pieces if each.pts is not None), first)
    rest = b"".join(_slices_after(each) or b"" for each in others)
    return cast("Packet[Any]", ComposedPacket(timed, bytes(first) + rest, keyframe=True))
