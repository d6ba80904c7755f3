"""What became of the records that a sink was to deliver."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Dict


@dataclass(frozen=True)
class DeliveryCounts:
    """Records of one sink. `failed` counts attempts, the others records: each is `delivered`, or `refused` by its
    receiver for good, or `dropped` for want of room, or still `waiting`. `trouble`: what went wrong last, empty where
    that is over.
    """

    delivered: int = 0
    failed: int = 0
    refused: int = 0
    dropped: int = 0
    waiting: int = 0
    trouble: str = ""

    @property
    def line(self) -> str:
        """The counts for people; what is 0 is left out, but for what was delivered."""
        parts = [f"{self.delivered} delivered"]
        for count, what in (
            (self.refused, "refused"),
            (self.dropped, "dropped"),
            (self.waiting, "waiting"),
            (self.failed, "failed attempt" if self.failed == 1 else "failed attempts"),
        ):
            parts += [f"{count} {what}"] * bool(count)
        return ", ".join(parts) + (f" ({self.trouble})" if self.trouble else "")

    @property
    def document(self) -> Dict[str, Any]:
        """The counts as plain data; `trouble` only where there is any."""
        counts = {name: getattr(self, name) for name in ("delivered", "failed", "refused", "dropped", "waiting")}
        return {**counts, "trouble": self.trouble} if self.trouble else counts


class Tally:
    """Counts deliveries, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = DeliveryCounts()

    @property
    def counts(self) -> DeliveryCounts:
        return self._counts

    def delivered(self) -> None:
        with self._lock:
            self._counts = replace(self._counts, delivered=self._counts.delivered + 1, trouble="")

    def recovered(self) -> None:
        """What went wrong is over."""
        with self._lock:
            self._counts = replace(self._counts, trouble="")

    def refused(self, trouble: str) -> None:
        with self._lock:
            self._counts = replace(self._counts, refused=self._counts.refused + 1, trouble=trouble)

    def failed(self, trouble: str) -> None:
        with self._lock:
            self._counts = replace(self._counts, failed=self._counts.failed + 1, trouble=trouble)
