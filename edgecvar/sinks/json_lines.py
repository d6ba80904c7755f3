"""Decisions and events as JSON lines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict, TextIO

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.sinks.sink import Stateless
from edgecvar.terminal import json_line


class JsonLines(Stateless):
    """One JSON object a decision, {"event": ...} between them, then {"summary": ...}.

    Each names its source, and is flushed, for pipes.
    """

    def __init__(self, out: TextIO, source: str, untrained: bool) -> None:
        self._out = out
        self._source = source
        self._mark = {"untrained": True} if untrained else {}

    def decision(self, decision: Decision) -> None:
        self._write(decision_document(decision))

    def event(self, event: Event) -> None:
        self._write({"event": event_document(event)})

    def finish(self, summary: RunSummary) -> None:
        self._write({"summary": summary_document(summary)})

    def fail(self, error: str) -> None:
        """The source could not be run, or not to its end."""
        self._write({"error": error})

    def _write(self, document: Dict[str, Any]) -> None:
        self._out.write(json_line({"source": self._source, **document, **self._mark}) + "\n")
        self._out.flush()


def decision_document(decision: Decision) -> Dict[str, Any]:
    """A decision as plain data; `break` only where the stream broke since the one before."""
    document: Dict[str, Any] = {
        "pts_seconds": round(decision.pts_seconds, 6),
        "display_index": decision.display_index,
        "label": decision.label,
        "probability": round(decision.probability, 6),
        "top": [{"label": label, "probability": round(part, 6)} for label, part in decision.top],
        "latency_ms": round(decision.latency_ms, 3),
    }
    return {**document, "break": decision.opens} if decision.opens else document


def event_document(event: Event) -> Dict[str, Any]:
    """An event as plain data; `end_seconds` only of one that has ended."""
    document: Dict[str, Any] = {
        "phase": "began" if event.end_seconds is None else "ended",
        "number": event.number,
        "label": event.label,
        "start_seconds": round(event.start_seconds, 6),
        "peak": round(event.peak, 6),
        "peak_seconds": round(event.peak_seconds, 6),
    }
    return document if event.end_seconds is None else {**document, "end_seconds": round(event.end_seconds, 6)}


def summary_document(summary: RunSummary) -> Dict[str, Any]:
    """A summary as plain data.

    `live` only of sources that come and go, `damaged` and `damage`, `hidden`, `other_layers`, `breaks` and
    `fallbacks` only where there are any, `exits` where pictures may leave early, `decoder` where it is one in
    hardware, `ended` where that was before the stream's end, `note` where there is no decision.
    """
    document: Dict[str, Any] = {
        "pictures": summary.pictures,
        "sampled": summary.sampled,
        "skipped": summary.skipped,
        "reasons": summary.reasons,
        "decisions": summary.decisions,
        "stream_fps": round(summary.stream_fps, 2),
        "stream_seconds": round(summary.stream_seconds, 3),
        "wall_seconds": round(summary.wall_seconds, 3),
    }
    if summary.damaged:
        document.update(damaged=summary.damaged, damage=dict(summary.damage))
    if summary.hidden:
        document["hidden"] = summary.hidden
    if summary.other_layers:
        document["other_layers"] = summary.other_layers
    if summary.breaks:
        document["breaks"] = dict(summary.breaks)
    if summary.live is not None:
        document["live"] = {**asdict(summary.live), "away_seconds": round(summary.live.away_seconds, 3)}
    if summary.decoder:
        document["decoder"] = summary.decoder
    if summary.fallbacks:
        document["fallbacks"] = dict(summary.fallbacks)
    if summary.exits is not None:
        document["exits"] = {"pictures": summary.exits.pictures, "left": dict(summary.exits.left)}
    if summary.ended:
        document["ended"] = summary.ended
    return {**document, "note": summary.note} if summary.note else document
