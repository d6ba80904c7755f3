"""How far long work is: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Callable, Iterable, Iterator, Optional, TypeVar, Union

import rich.progress as bars

from edgecvar.console import Console
from edgecvar.terminal import printable, say

T = TypeVar("T")
Progress = Callable[[int, int, str], None]
"""Told how many steps are done, of how many (0: nobody knows), and what comes next."""

INTERVAL = 5.0
"""Seconds between two lines where no terminal draws a bar; shorter work says nothing."""


def silent(done: int, total: int, what: str) -> None:
    """The Progress that says nothing."""


class StepBar:
    """On standard error, from entering to leaving; `console` where something else is printed to it meanwhile."""

    def __init__(self, what: str = "starting", console: Optional[Console] = None) -> None:
        console = console or Console(stderr=True)
        self._shown: Union[_Bar, _Lines] = _Bar(what, console) if console.is_terminal else _Lines(what)

    def __enter__(self) -> StepBar:
        self._shown.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._shown.stop()

    def show(self, done: int, total: int, what: str) -> None:
        """A Progress."""
        self._shown.show(done, total, what)


def tracked(work: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The results of `work`, with what is done of it shown while they come."""
    with StepBar(what) as bar:
        for done, result in enumerate(work):
            bar.show(done + 1, total, what)
            yield result


class _Bar:
    """A spinner that turns into a bar where the number of steps is known."""

    def __init__(self, what: str, console: Console) -> None:
        columns = (bars.SpinnerColumn(), bars.BarColumn(30), bars.TextColumn("{task.description}", markup=False))
        more = (bars.MofNCompleteColumn(), bars.TimeElapsedColumn(), bars.TimeRemainingColumn())
        self._progress = bars.Progress(*columns, *more, console=console, transient=True)
        self._task = self._progress.add_task(printable(what), total=None)
        self.start, self.stop = self._progress.start, self._progress.stop

    def show(self, done: int, total: int, what: str) -> None:
        self._progress.update(self._task, completed=done, total=total or None, description=printable(what))


class _Lines:
    """A line every few seconds, from a thread of its own: a single step may take minutes."""

    def __init__(self, what: str) -> None:
        self._state = (0, 0, what)
        self._begun = time.monotonic()
        self._over = Event()
        self._thread = Thread(target=self._tell, name="progress", daemon=True)
        self.start = self._thread.start

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def show(self, done: int, total: int, what: str) -> None:
        self._state = (done, total, what)

    def _tell(self) -> None:
        while not self._over.wait(INTERVAL):
            done, total, what = self._state
            count = f": {done} of {total}" if total else ""
            say(f"{what}{count}, {time.monotonic() - self._begun:.0f} s", err=True)
