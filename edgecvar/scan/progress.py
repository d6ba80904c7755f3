"""How far a scan is, and how long it will still take."""

from __future__ import annotations

import time
from typing import Callable

from edgecvar.progress import Progress


class ScanProgress:
    """Counts sources and pieces of them; how long the rest takes is reckoned by bytes, where they are known.

    `called`: what sources are.
    """

    def __init__(
        self,
        tell: Progress,
        sources: int,
        size: int,
        called: str = "sources",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._sources, self._size, self._called = tell, sources, size, called
        self._clock, self._begun = clock, clock()
        self._done = self._failed = 0
        self._bytes = 0.0
        self.show()

    def advance(self, size: float, done: bool, failed: bool = False) -> None:
        """So many more bytes are seen, and with them a source is `done`, or has `failed`."""
        self._bytes += size
        self._done += done
        self._failed += failed
        self.show()

    def show(self) -> None:
        failed = f", {self._failed} failed" if self._failed else ""
        self._tell(self._done, self._sources, f"{self._called}{failed}{self._left()}")

    def _left(self) -> str:
        part = self._bytes / self._size if self._size else self._done / max(1, self._sources)
        passed = self._clock() - self._begun
        if part <= 0 or passed < 1:
            return ""
        left = passed * (1 - min(part, 1)) / part
        return f", about {_worded(left)} left"


def _worded(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
