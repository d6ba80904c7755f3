"""A pool of no other process."""

from __future__ import annotations

from typing import Any, Callable, List


class HerePool:
    """Does every job in this process, and lets `spoil` put another result in its place."""

    def __init__(self, spoil: Callable[[Any, Any], Any] = lambda job, result: result) -> None:
        self.workers = 1
        self.jobs: List[Any] = []
        self._spoil = spoil

    def each(self, work, jobs, enter):
        enter(lambda: False)
        for job in jobs:
            self.jobs.append(job)
            yield job, self._spoil(job, work(job))
