"""What is told of a source, as plain data."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Dict

from edgecvar.run.decisions import Decision
from edgecvar.run.events import Event
from edgecvar.sinks.delivery.delivery import SourceRun
from edgecvar.terminal import printable


def event_message(run: SourceRun, event: Event) -> Dict[str, Any]:
    """An event that begins or has ended. `id` is no other's, also after a restart; `event` is the same for both."""
    phase = "start" if event.end_seconds is None else "end"
    return {
        "id": f"{run.id}-{event.number}-{phase}",
        "event": f"{run.id}-{event.number}",
        "event_type": phase,
        "source": printable(run.name),
        "label": printable(event.label),
        "start_seconds": round(event.start_seconds, 6),
        "end_seconds": None if event.end_seconds is None else round(event.end_seconds, 6),
        "peak": round(event.peak, 6),
        "peak_seconds": round(event.peak_seconds, 6),
        "told_at": now(),
    }


def state_message(decision: Decision) -> Dict[str, Any]:
    """What is seen at the moment."""
    return {
        "label": printable(decision.label),
        "probability": round(decision.probability, 6),
        "pts_seconds": round(decision.pts_seconds, 6),
        "told_at": now(),
    }


def now() -> str:
    """The time of day in UTC, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
