"""Pictures that FFmpeg has cut into several packets: it does where parameter sets stand between slices of one.

GStreamer's payloaders put them before every slice of a key picture, and encoders without delay make several of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Iterator, List, Optional, Tuple, cast

from edgecvar.stream.nal.composed import ComposedPacket
from edgecvar.stream.nal.units import SYNTAX, goes_on, kind_of, length_size_of

if TYPE_CHECKING:
    from av.packet import Packet

_START = b"\0\0\1"
_LOOKED_AT = 3
"""Bytes of a unit: its head, and whether it begins a picture."""


class Pieces:
    """Joins the packets of one key picture, with the times of the first that has some.

    The first key packet waits for what comes after it, and tells how many pieces a picture has; where it has one,
    nothing waits any more, else a picture does until it has as many.
    """

    def __init__(self, extradata: Optional[bytes], codec: str = "h264") -> None:
        self._codec = codec
        self._pieces = 0 if length_size_of(extradata, codec) is None else 1

    def joined(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """The packets in their order, a ComposedPacket for several of one picture."""
        waiting: List[Packet[Any]] = []
        for packet in self._apart(packets) if self._codec == "hevc" else packets:
            if waiting and self._slices_after(packet) is not None:
                waiting.append(packet)
                if len(waiting) == self._pieces:
                    yield self._whole(waiting)
                    waiting = []
                continue
            if waiting:
                self._pieces = len(waiting)
                yield self._whole(waiting)
                waiting = []
            if self._pieces == 1 or not packet.is_keyframe:
                yield packet
            else:
                waiting = [packet]
        if waiting:
            yield self._whole(waiting)

    def _apart(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """Of HEVC all but the first of a picture's slices are found in one packet with the picture that follows."""
        for packet in packets:
            data = bytes(packet) if self._pieces != 1 and packet.is_keyframe else b""
            end, opens = self._end_of_slices(data)
            if not 0 < end < len(data):
                yield packet
                continue
            yield cast("Packet[Any]", ComposedPacket(packet, data[:end], keyframe=True))
            following = ComposedPacket(packet, data[end:], keyframe=opens)
            following.pts = following.dts = None  # they were those of the first
            yield cast("Packet[Any]", following)

    def _end_of_slices(self, data: bytes) -> Tuple[int, bool]:
        """Where the slices end that a packet goes on with, 0 without any; whether a key picture follows."""
        syntax, end, going_on = SYNTAX[self._codec], 0, False
        at = data.find(_START)
        while 0 <= at < len(data) - 4:
            if going_on:
                end, going_on = at, False
            unit = data[at + 3 : at + 3 + _LOOKED_AT]
            kind = kind_of(unit, self._codec)
            if kind in syntax.slices:
                going_on = kind in syntax.opening and goes_on(unit, self._codec)
                if not going_on:
                    return end, kind in syntax.opening
            at = data.find(_START, at + 3)
        return 0, False

    def _slices_after(self, packet: Packet[Any]) -> Optional[bytes]:
        """The slices of a packet that goes on with a key picture; None where it begins another."""
        data, syntax = bytes(packet), SYNTAX[self._codec]
        at = data.find(_START)
        while 0 <= at < len(data) - 4:
            unit = data[at + 3 : at + 3 + _LOOKED_AT]
            kind = kind_of(unit, self._codec)
            if kind in syntax.slices:
                return data[at:] if kind in syntax.opening and goes_on(unit, self._codec) else None
            at = data.find(_START, at + 3)
        return None

    def _whole(self, pieces: List[Packet[Any]]) -> Packet[Any]:
        first, *others = pieces
        if not others:
            return first
        timed = next((each for each in pieces if each.pts is not None), first)
        rest = b"".join(self._slices_after(each) or b"" for each in others)
        return cast("Packet[Any]", ComposedPacket(timed, bytes(first) + rest, keyframe=True))
