"""How far long work is: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, TypeVar, Union

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from edgecvar.console import Console
from edgecvar.progress import ProgressLines
from edgecvar.terminal import printable

T = TypeVar("T")


class StepBar:
    """On standard error, from entering to leaving."""

    def __init__(self, what: str = "starting") -> None:
        console = Console(stderr=True)
        self._shown: Union[_Bar, ProgressLines] = _Bar(what, console) if console.is_terminal else ProgressLines(what)

    def __enter__(self) -> StepBar:
        self._shown.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._shown.__exit__(*exc)

    def show(self, done: int, total: int, what: str) -> None:
        """A Progress."""
        self._shown.show(done, total, what)


class _Bar:
    """A spinner that turns into a bar where the number of steps is known."""

    def __init__(self, what: str, console: Any) -> None:
        columns = (SpinnerColumn(), BarColumn(30), TextColumn("{task.description}", markup=False))
        more = (MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, *more, console=console, transient=True)
        self._task = self._progress.add_task(printable(what), total=None)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def show(self, done: int, total: int, what: str) -> None:
        self._progress.update(self._task, completed=done, total=total or None, description=printable(what))


def tracked(work: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The results of `work`, with what is done of it shown while they come."""
    with StepBar(what) as bar:
        for done, result in enumerate(work):
            bar.show(done + 1, total, what)
            yield result
