"""An event: one label that lasts, from where it begins to where it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Event:
    """One label over a stretch of a stream, in the stream's own seconds.

    It is told twice: when it begins, with `end_seconds` None, and when it has ended, under the same `number`, which
    counts the events of one stream from 0. `peak` is the highest smoothed probability so far, at `peak_seconds`.
    """

    number: int
    label: str
    start_seconds: float
    end_seconds: Optional[float]
    peak: float
    peak_seconds: float

    def __repr__(self) -> str:
        end = "goes on" if self.end_seconds is None else f"{self.end_seconds:.2f} s"
        return f"<Event {self.number}: {self.label}, {self.start_seconds:.2f} s to {end}, {self.peak:.0%}>"
