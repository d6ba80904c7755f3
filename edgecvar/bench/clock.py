"""The clock of a measurement: spans by name, from any thread."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import DefaultDict, Dict, List

from edgecvar.bench.observed import MOMENTS, Moment
from edgecvar.run.trace import NOBODY, ListenedClock, Observers, Span


class SpanClock(ListenedClock):
    """Keeps every span in milliseconds, and the first ones as they were; `observers` are told of each, too."""

    def __init__(self, observers: Observers = NOBODY, stream: str = "") -> None:
        super().__init__((self._keep, *observers.listeners(stream)), observers.ranges)
        self._spans: DefaultDict[str, List[float]] = defaultdict(list)
        self._first: List[Span] = []
        self._begun_ns = time.perf_counter_ns()
        self._lock = threading.Lock()

    def spans_ms(self) -> Dict[str, List[float]]:
        """What was kept so far."""
        with self._lock:
            return {name: list(values) for name, values in self._spans.items()}

    def moments(self, since_ms: float = 0.0, most: int = MOMENTS) -> List[Moment]:
        """The first spans, each after those that began before it; the clock began at `since_ms`."""
        with self._lock:
            first = sorted(self._first, key=lambda span: span.start_ns)[:most]
        return [
            Moment(
                name=span.name,
                thread=span.thread,
                picture=span.picture,
                start_ms=since_ms + (span.start_ns - self._begun_ns) / 1e6,
                ms=span.ns / 1e6,
            )
            for span in first
        ]

    def _keep(self, span: Span) -> None:
        with self._lock:
            self._spans[span.name].append(span.ns / 1e6)
            if len(self._first) < MOMENTS:
                self._first.append(span)
