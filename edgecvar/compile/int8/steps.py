"""Steps of a search that learns how far it has to go."""

from __future__ import annotations

from edgecvar.progress import Progress


class Steps:
    """Counts them for a progress bar whose end moves."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._done = -1
        self._total = total

    def expect(self, more: int) -> None:
        """So many will come after those that are done."""
        self._total = max(self._total, self._done + 1 + more)

    def next(self, what: str) -> None:
        """Begin one."""
        self._done += 1
        self._total = max(self._total, self._done + 1)
        self._progress(self._done, self._total, what)

    def finish(self) -> None:
        """All are done."""
        self._progress(self._total, self._total, "done")
