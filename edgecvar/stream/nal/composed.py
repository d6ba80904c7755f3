"""Packets put together of others, which whoever reads packets takes for one that the container gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

import av

if TYPE_CHECKING:
    from av.packet import Packet


class ComposedPacket:
    """The bytes of one picture in parts, with the times and flags of the packet that it is made `of`.

    A decoder is to have its `parts`, one after the other.
    """

    def __init__(self, of: Packet[Any], *parts: bytes, keyframe: bool) -> None:
        self._parts = parts
        self.pts, self.dts, self.time_base = of.pts, of.dts, of.time_base
        self.is_keyframe = keyframe
        self.is_discard = bool(getattr(of, "is_discard", False))
        self.size = sum(map(len, parts))

    def __bytes__(self) -> bytes:
        return b"".join(self._parts)

    def parts(self) -> List[Packet[Any]]:
        """A packet for each part, with the times as they are now."""
        packets = [av.Packet(part) for part in self._parts]
        for packet in packets:
            packet.pts, packet.dts = self.pts, self.dts
        return packets
