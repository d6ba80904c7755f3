"""How many streams to try next: doubled until they are too many, then halved in between (pure)."""

from __future__ import annotations

from typing import Optional

EXACT = 16
"""Up to twice as many are found exactly, of more a sixteenth or less is left open: no machine is as constant."""
TRIES = 2
"""A number that fails is tried again: something else may have taken the machine for a moment."""


class Search:
    """The most that hold, of 1 to `most`; `start` is tried first. `holding` is what has been found so far."""

    def __init__(self, start: int, most: int) -> None:
        self.holding = 0
        self.capped = False
        self._most = most
        self._next: Optional[int] = min(start, most)
        self._failing: Optional[int] = None
        self._failed = 0

    @property
    def next(self) -> Optional[int]:
        """The number to try; None once nothing is left to be found out."""
        return self._next

    def tried(self, holds: bool) -> None:
        """Whether the number that was `next` holds."""
        number = self._next
        assert number is not None
        if not holds:
            self._failed += 1
            if self._failed < TRIES:
                return
            self._failing = number
        else:
            self.holding = number
        self._failed = 0
        self._next = self._following()

    def end(self) -> None:
        """No more: what comes next cannot be tried."""
        self._next = None

    def _following(self) -> Optional[int]:
        if self._failing is None:
            self.capped = self.holding >= self._most
            return None if self.capped else min(2 * self.holding, self._most)
        gap = self._failing - self.holding
        return None if gap <= max(1, self.holding // EXACT) else self.holding + gap // 2
