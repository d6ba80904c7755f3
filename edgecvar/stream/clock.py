"""When a picture is displayed: the container's own times, or the frame rate where it gives none."""

from __future__ import annotations

import heapq
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

if TYPE_CHECKING:
    from av.packet import Packet


class DisplayClock:
    """Keeps the times of packets before the decoder sees them, and gives every shown picture a finite one."""

    def __init__(self, fps: Fraction) -> None:
        self._step = 1.0 / float(fps)
        self._times: Dict[int, Tuple[Optional[float], Optional[float]]] = {}
        self._decode_times: List[float] = []
        self._last: Optional[float] = None

    def packet(self, number: int, packet: Packet[Any]) -> None:
        """Notes the times of the packet with decode number `number`."""
        base = packet.time_base
        ticks = packet.dts if packet.pts is None else packet.pts
        # Two integers divided are rounded once, as a Fraction is, at a tenth of the time.
        seconds = None if ticks is None or not base else ticks * base.numerator / base.denominator
        display_time, decode_time = (None, seconds) if packet.pts is None else (seconds, None)
        self._times[number] = (display_time, decode_time)
        if decode_time is not None:
            heapq.heappush(self._decode_times, decode_time)

    def awaits(self, number: int) -> bool:
        """Whether packet `number` came, and its picture is neither shown nor lost."""
        return number in self._times

    def lost(self, number: int) -> None:
        """Packet `number`, unless its picture was shown, never gives one: its time goes to no other picture."""
        decoded = self._times.pop(number, (None, None))[1]
        if decoded is None or not self._decode_times:
            return
        # Where a later picture already took that time, the one it would have had is over.
        spare = decoded if decoded in self._decode_times else self._decode_times[0]
        self._decode_times.remove(spare)
        heapq.heapify(self._decode_times)

    def show(self, number: int, display_index: int) -> float:
        """The display time in seconds of the picture shown as `display_index`.

        Containers with decode times alone (AVI) show their pictures at those times in turn.
        """
        time = self._times.pop(number, (None, None))[0]
        if time is None and self._decode_times:
            time = heapq.heappop(self._decode_times)
        if time is None:
            time = display_index * self._step if self._last is None else self._last + self._step
        self._last = time
        return time
