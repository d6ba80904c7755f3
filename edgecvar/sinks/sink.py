"""What every sink offers to a run."""

from __future__ import annotations

from typing import Any, Protocol

from edgecvar.run.decisions import Decision, RunSummary


class Sink(Protocol):
    """Takes the decisions of one run. Entered before the first; left whole, also after an error or Ctrl-C."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *exc: object) -> None: ...

    def decision(self, decision: Decision) -> None: ...

    def finish(self, summary: RunSummary) -> None:
        """The run has ended: `summary.ended` says why where that is before the stream's end."""
        ...


class Stateless:
    """A sink with nothing to open or close."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        return None
