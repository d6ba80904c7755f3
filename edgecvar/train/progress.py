"""What a run says while it goes on: nothing, lines and a bar on the terminal, or JSON lines."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Optional

from edgecvar.console import Console
from edgecvar.progress import StepBar
from edgecvar.terminal import say_json
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
    """The phase that runs and a line for each epoch, on stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Optional[StepBar] = None
        self._what, self._done, self._total = "", 0, 0

    def say(self, line: str) -> None:
        self._console.print(line)

    def begin(self, what: str, total: int) -> None:
        self._what, self._done, self._total = what, 0, total
        self._bar = StepBar(what, self._console).__enter__()
        self._bar.show(0, total, what)

    def step(self, loss: Optional[float] = None) -> None:
        self._done += 1
        if self._bar is not None:
            self._bar.show(self._done, self._total, self._what if loss is None else f"{self._what}, loss {loss:.3f}")

    def end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__()
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


class JsonListener(TerminalListener):
    """Each epoch's record as a line on stdout; what a person should know on stderr."""

    def epoch(self, record: EpochRecord, epochs: int, best: bool) -> None:
        say_json(record.model_dump(mode="json"))
