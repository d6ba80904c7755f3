"""What every sink offers to a run."""

from __future__ import annotations

from typing import Any, Protocol

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event


class Sink(Protocol):
    """Takes the decisions of one run. Entered before the first; left whole, also after an error or Ctrl-C."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *exc: object) -> None: ...

    def decision(self, decision: Decision) -> None: ...

    def event(self, event: Event) -> None:
        """An event has begun, or ended; after the decision by which that is known."""
        ...

    def finish(self, summary: RunSummary) -> None:
        """The run has ended: `summary.ended` says why where that is before the stream's end."""
        ...


class WithoutEvents:
    """A sink that leaves events to others."""

    def event(self, event: Event) -> None:
        return None


class Stateless(WithoutEvents):
    """A sink of decisions alone, with nothing to open or close."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        return None
