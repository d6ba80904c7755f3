"""What a run says while it goes on: nothing, lines and a bar on the terminal, or JSON lines."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Optional, Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edgecvar.console import Console
from edgecvar.progress import ProgressLines
from edgecvar.terminal import printable, say_json
from edgecvar.train.history import EpochRecord


class Listener:
    """Told of everything that happens in a run; this one says nothing."""

    def say(self, line: str) -> None:
        """Something a person should know."""

    @contextmanager
    def phase(self, what: str, total: int) -> Iterator[None]:
        """The time of a phase of `total` steps."""
        self.begin(what, total)
        try:
            yield
        finally:
            self.end()

    def begin(self, what: str, total: int) -> None:
        """A phase of `total` steps begins."""

    def step(self, loss: Optional[float] = None) -> None:
        """One step of the phase is done."""

    def end(self) -> None:
        """The phase is over, or broken off."""

    def epoch(self, record: EpochRecord, epochs: int, best: bool) -> None:
        """An epoch's figures."""


class _Phase(Protocol):
    """What shows the phase that runs."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *exc: object) -> None: ...

    def step(self, loss: Optional[float]) -> None: ...


class _Bar:
    """On a terminal."""

    def __init__(self, console: Console, what: str, total: int) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        times = (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[loss]}"))
        self._progress = Progress(*columns, *times, console=console, transient=True)
        self._task = self._progress.add_task(printable(what), total=total, loss="")

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def step(self, loss: Optional[float]) -> None:
        self._progress.update(self._task, advance=1)
        if loss is not None:
            self._progress.update(self._task, loss=f"loss {loss:.3f}")


class _Lines(ProgressLines):
    """Elsewhere."""

    def __init__(self, what: str, total: int) -> None:
        super().__init__(what)
        self._what, self._done, self._total = what, 0, total

    def step(self, loss: Optional[float]) -> None:
        self._done += 1
        self.show(self._done, self._total, self._what if loss is None else f"{self._what}, loss {loss:.3f}")


class TerminalListener(Listener):
    """The phase that runs and a line for each epoch, on stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._phase: Optional[_Phase] = None

    def say(self, line: str) -> None:
        self._console.print(line)

    def begin(self, what: str, total: int) -> None:
        on_terminal = self._console.is_terminal
        self._phase = _Bar(self._console, what, total) if on_terminal else _Lines(what, total)
        self._phase.__enter__()

    def step(self, loss: Optional[float] = None) -> None:
        if self._phase is not None:
            self._phase.step(loss)

    def end(self) -> None:
        if self._phase is not None:
            self._phase.__exit__(None, None, None)
            self._phase = None

    def epoch(self, record: EpochRecord, epochs: int, best: bool) -> None:
        top1 = "" if record.train_top1 is None else f" {record.train_top1:6.1%}"
        parts = [f"epoch {record.epoch:3d}/{epochs}", f"train {record.train_loss:.3f}{top1}"]
        if record.validation_top1 is not None:
            parts.append(f"validation {record.validation_loss:.3f} {record.validation_top1:6.1%}")
        parts.append(f"lr {record.lr:.2e}")
        parts.append(f"{record.seconds:.1f} s ({record.waiting:.1f} waiting)")
        if record.skipped:
            parts.append(f"{record.skipped} clips skipped")
        self.say("  ".join(parts) + ("  best" if best else ""))


class JsonListener(TerminalListener):
    """Each epoch's record as a line on stdout; what a person should know on stderr."""

    def epoch(self, record: EpochRecord, epochs: int, best: bool) -> None:
        say_json(record.model_dump(mode="json"))
