"""Every how many pictures one is sampled, while a device keeps up and while it does not."""

from __future__ import annotations

import time
from typing import Optional

MOST = 16
"""Times the stride that was asked for: beyond it fewer samples would tell little, and packets fall instead."""
CALM = 10.0
"""Seconds without lateness after which more is sampled again."""


class Pace:
    """`every`, doubled while samples come to be run more than `late` seconds after they arrived, and halved after calm.

    Those samples are left out, so that what is run is never later than that. One thread tells how late they are,
    another asks for `every`. With None for `late` it stays as it is.
    """

    def __init__(self, every: int, late: Optional[float]) -> None:
        self.every = every
        self._least = every
        self._late = late
        self._changed = self._uneasy = float("-inf")

    def keeps(self, arrived: float) -> bool:
        """Whether a sample that arrived then, by `time.perf_counter`, is to be run; one that is late is not."""
        if self._late is None:
            return True
        now = time.perf_counter()
        lag = now - arrived
        if arrived > self._changed:  # else it was on its way when `every` was another
            self._adapt(lag, now)
        return lag <= self._late

    def _adapt(self, lag: float, now: float) -> None:
        assert self._late is not None
        if lag > self._late / 2:
            self._uneasy = now
        if lag > self._late and self.every < MOST * self._least:
            self._change(self.every * 2, now)
        elif self.every > self._least and now - max(self._uneasy, self._changed) > CALM:
            self._change(self.every // 2, now)

    def _change(self, every: int, now: float) -> None:
        self.every, self._changed = every, now
