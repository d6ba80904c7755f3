"""One connection to a live source, from before it is opened to its end."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Deque, Optional

if TYPE_CHECKING:
    from av.packet import Packet

MOST_IN_A_ROW = 300
"""Packets that are let fall for an I-picture that does not come: a stream of intra refresh has one at its start."""
MOST_ARRIVALS = 1024
"""Of the newest packets, whose times are kept."""


class Attempt:
    """A connection that can be left at any time, also while it is opened, and what it does for a reader that is late.

    A packet that has waited for more than `late` seconds falls, and all after it up to the next I-picture: never single
    P-pictures, which others refer to. With None nothing falls. `arrived` is when the packet given last came, by
    `time.perf_counter`; `note` is what there is to say of how the source is read, `duration` what its container says
    that it lasts, in microseconds, if anything. `received` counts the bytes of the packets given, and
    `arrivals` has when the newest of them came.
    """

    def __init__(self, name: str, late: Optional[float] = None) -> None:
        self.name = name
        self.late = late
        self.arrived: Optional[float] = None
        self.note = ""
        self.duration: Optional[int] = None
        self.received = 0
        self.arrivals: Deque[float] = deque(maxlen=MOST_ARRIVALS)
        self._leave: Optional[Callable[[], None]] = None
        self._left = False
        self._outside, self._inside = _Falling(), _Falling()

    @property
    def dropped(self) -> int:
        """Packets that fell."""
        return self._outside.dropped + self._inside.dropped

    def begun(self, leave: Callable[[], None]) -> None:
        """Opening has begun; `leave` ends it, and the reading after it."""
        self._leave = leave
        if self._left:
            leave()

    def leave(self) -> None:
        """End it, from any thread."""
        self._left = True
        if self._leave is not None:
            self._leave()

    def enters(self, packet: Packet[Any], full: bool) -> bool:
        """Whether a packet that came is kept for the reader, of whose packets there is no room where it is `full`."""
        return self.late is None or self._outside.keeps(packet, full)

    def takes(self, packet: Packet[Any], arrived: float) -> bool:
        """Whether the reader is given a packet."""
        waited = time.perf_counter() - arrived
        if self.late is not None and not self._inside.keeps(packet, waited > self.late):
            return False
        self.arrived = arrived
        self.received += packet.size
        self.arrivals.append(arrived)
        return True


class _Falling:
    """Lets packets fall from one that has to up to the next I-picture that has not."""

    def __init__(self) -> None:
        self.dropped = 0
        self._row = 0

    def keeps(self, packet: Packet[Any], must: bool) -> bool:
        if not packet.size or not (must or (self._row and not packet.is_keyframe)) or self._row == MOST_IN_A_ROW:
            self._row = 0
            return True
        self._row += 1
        self.dropped += 1
        return False
