"""What a run says while it goes on: nothing, lines and a bar on the terminal, or JSON lines."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Iterator, Optional

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

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


class TerminalListener(Listener):
    """A bar for the phase that runs and a line for each epoch, on stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Optional[Progress] = None
        self._task = TaskID(0)

    def say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def begin(self, what: str, total: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(what, total=total, loss="")
        self._bar.start()

    def step(self, loss: Optional[float] = None) -> None:
        if self._bar is not None:
            self._bar.update(self._task, advance=1)
            if loss is not None:
                self._bar.update(self._task, loss=f"loss {loss:.3f}")

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

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


class JsonListener(Listener):
    """Each epoch's record as a line on stdout; what a person should know on stderr."""

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def epoch(self, record: EpochRecord, epochs: int, best: bool) -> None:
        print(record.model_dump_json(), flush=True)
