"""What a tap sees over connections: one line of packets and times."""

from __future__ import annotations

from typing import Any, List

from edgecvar.stream.clock import Moment
from edgecvar.stream.live.connection_tap import ConnectionTap


class Heard:
    def __init__(self) -> None:
        self.told: List[Any] = []

    def opened(self, video: Any) -> None:
        self.told.append(("opened", video))

    def packet(self, number: int, packet: Any) -> None:
        self.told.append(("packet", number))

    def shown(self, number: int, moment: Moment) -> None:
        self.told.append(("shown", number, moment.pts_seconds))

    def broke(self, pts_seconds: float) -> None:
        self.told.append(("broke", pts_seconds))


def moment(seconds: float) -> Moment:
    return Moment(seconds, True)


def test_numbers_and_times_go_on_and_what_comes_early_waits_for_its_place() -> None:
    heard = Heard()
    packet: Any = object()
    first = ConnectionTap(heard, 0)
    first.packet(0, packet)
    first.placed(0.0, None)
    first.shown(0, moment(0.0))
    first.packet(1, packet)
    first.broke(3.0)
    second = ConnectionTap(heard, first.packets)
    for number in range(2):
        second.packet(number, packet)
        second.shown(number, moment(0.5 + number))
    second.broke(1.5)
    assert heard.told == [("packet", 0), ("shown", 0, 0.0), ("packet", 1), ("broke", 3.0), ("packet", 2), ("packet", 3)]
    heard.told.clear()
    second.placed(10.0, 10.5)
    second.shown(2, moment(2.5))
    assert heard.told == [("shown", 2, 10.5), ("shown", 3, 11.5), ("broke", 11.5), ("broke", 10.5), ("shown", 4, 12.5)]
    assert second.packets == 4
