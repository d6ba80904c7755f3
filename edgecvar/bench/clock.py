"""The clock of a measurement: spans by name, from any thread."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from typing import DefaultDict, Dict, Iterator, List


class SpanClock:
    """Keeps every span in milliseconds; it is the `Clock` that the recogniser takes."""

    def __init__(self) -> None:
        self._spans: DefaultDict[str, List[float]] = defaultdict(list)
        self._lock = threading.Lock()

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            milliseconds = (time.perf_counter() - start) * 1e3
            with self._lock:
                self._spans[name].append(milliseconds)

    def spans_ms(self) -> Dict[str, List[float]]:
        """What was kept so far."""
        with self._lock:
            return {name: list(values) for name, values in self._spans.items()}
