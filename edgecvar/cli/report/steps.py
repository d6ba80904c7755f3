"""How far long work is, on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn


class StepBar:
    """A spinner that turns into a bar where the number of steps is known."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(), BarColumn(30), TextColumn("{task.description}"), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> StepBar:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def show(self, done: int, total: int, what: str) -> None:
        """`total` 0: nobody knows how much is to come."""
        self._progress.update(self._task, completed=done, total=total or None, description=what)
