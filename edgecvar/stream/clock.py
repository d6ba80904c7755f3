"""When a picture is displayed: the container's own times, or the frame rate where it gives none."""

from __future__ import annotations

import heapq
from fractions import Fraction
from typing import Any, Dict, List, Optional


class DisplayClock:
    """Keeps the times of packets before the decoder sees them, and gives every shown picture a finite one."""

    def __init__(self, fps: Fraction) -> None:
        self._step = 1.0 / float(fps)
        self._times: Dict[int, Optional[float]] = {}
        self._decode_times: List[float] = []
        self._last: Optional[float] = None

    def packet(self, number: int, packet: Any) -> None:
        """Notes the times of the packet with decode number `number`."""
        base = packet.time_base
        self._times[number] = None if packet.pts is None or not base else float(packet.pts * base)
        if packet.pts is None and packet.dts is not None and base:
            heapq.heappush(self._decode_times, float(packet.dts * base))

    def show(self, number: int, display_index: int) -> float:
        """The display time in seconds of the picture shown as `display_index`.

        Containers with decode times alone (AVI) show their pictures at those times in turn.
        """
        time = self._times.pop(number, None)
        if time is None and self._decode_times:
            time = heapq.heappop(self._decode_times)
        if time is None:
            time = display_index * self._step if self._last is None else self._last + self._step
        self._last = time
        return time
