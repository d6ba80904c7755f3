"""Decisions as CSV: a row each, for spreadsheets."""

from __future__ import annotations

import csv
from typing import TextIO

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.sinks.sink import Stateless
from edgecvar.terminal import printable

COLUMNS = ("source", "pts_seconds", "display_index", "label", "probability", "latency_ms", "break")


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
