"""What a tap sees of a live source: packets and times that go on over its connections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

from edgecvar.stream.clock import Moment
from edgecvar.stream.container import OpenVideo
from edgecvar.stream.packets import PacketTap

if TYPE_CHECKING:
    from av.packet import Packet


class ConnectionTap:
    """The tap of one connection: its packets come after `base` others, its times are `placed` on the line of all.

    What is known of times before that waits for it, which is until the connection's first picture.
    """

    def __init__(self, tap: PacketTap, base: int) -> None:
        self.packets = base
        self._tap, self._base = tap, base
        self._shift: Optional[float] = None
        self._early: List[Tuple[int, Moment]] = []
        self._breaks: List[float] = []

    def opened(self, video: OpenVideo) -> None:
        self._tap.opened(video)

    def packet(self, number: int, packet: Packet[Any]) -> None:
        self.packets = self._base + number + 1
        self._tap.packet(self._base + number, packet)

    def shown(self, number: int, moment: Moment) -> None:
        if self._shift is None:
            self._early.append((number, moment))
        else:
            shifted = replace(moment, pts_seconds=moment.pts_seconds + self._shift)
            self._tap.shown(self._base + number, shifted)

    def broke(self, pts_seconds: float) -> None:
        if self._shift is None:
            self._breaks.append(pts_seconds)
        else:
            self._tap.broke(pts_seconds + self._shift)

    def placed(self, shift: float, first: Optional[float]) -> None:
        """The line of all connections is so many seconds ahead; `first`, on that line, is where a break is, if any."""
        self._shift = shift
        early, self._early = self._early, []
        for number, moment in early:
            self.shown(number, moment)
        for seconds in self._breaks:
            self._tap.broke(seconds + shift)
        self._breaks = []
        if first is not None:
            self._tap.broke(first)
