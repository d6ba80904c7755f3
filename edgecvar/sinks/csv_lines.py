"""Decisions, or events, as CSV: a row each, for spreadsheets."""

from __future__ import annotations

import csv
from typing import TextIO

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.sinks.sink import Stateless
from edgecvar.terminal import printable

COLUMNS = ("source", "pts_seconds", "display_index", "label", "probability", "latency_ms", "break")
EVENT_COLUMNS = ("source", "event", "label", "start_seconds", "end_seconds", "peak", "peak_seconds")


class CsvLines(Stateless):
    """One row a decision, flushed; counts are no rows, so what a summary says is not in it.

    `break`: why the stream broke since the decision before, empty where it did not.
    """

    def __init__(self, out: TextIO, source: str, header: bool = True) -> None:
        self._out = out
        self._source = printable(source)
        self._rows = csv.writer(out, lineterminator="\n")
        if header:
            self._rows.writerow(COLUMNS)

    def decision(self, decision: Decision) -> None:
        pts, latency = round(decision.pts_seconds, 6), round(decision.latency_ms, 3)
        label, probability = printable(decision.label), round(decision.probability, 6)
        index, broke = decision.display_index, decision.opens
        self._rows.writerow([self._source, pts, index, label, probability, latency, broke])
        self._out.flush()

    def finish(self, summary: RunSummary) -> None:
        self._out.flush()


class EventRows(Stateless):
    """One row an event, flushed when it has ended; decisions have none."""

    def __init__(self, out: TextIO, source: str, header: bool = True) -> None:
        self._out = out
        self._source = printable(source)
        self._rows = csv.writer(out, lineterminator="\n")
        if header:
            self._rows.writerow(EVENT_COLUMNS)

    def decision(self, decision: Decision) -> None:
        return None

    def event(self, event: Event) -> None:
        if event.end_seconds is not None:
            span = round(event.start_seconds, 6), round(event.end_seconds, 6)
            peak = round(event.peak, 6), round(event.peak_seconds, 6)
            self._rows.writerow([self._source, event.number, printable(event.label), *span, *peak])
            self._out.flush()

    def finish(self, summary: RunSummary) -> None:
        self._out.flush()
