"""From a session to the figures worth reading (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Dict, List, Optional, Sequence

import numpy as np

from edgecvar.bench.session import Against, Phase, Session

ORDER = ("decode", "scale", "read", "trace", "parse", "prepare", "image", "stage", "decide")
"""Spans in the order in which data flows; stages keep their own order."""


@dataclass(frozen=True)
class Row:
    """One span: how often it ran, percentiles in milliseconds, and its share of all the time that was spent."""

    name: str
    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    share: float


@dataclass(frozen=True)
class Comparison:
    """The run against decoding every picture: `rows` and `latency` of the latter, rates of both.

    `times` and `cpu_times`: how many times the pictures that decoding all handles the run handles in as much time, by
    the clock and of CPU; medians of the turns.
    """

    rows: List[Row]
    latency: Row
    pictures_per_second: float
    cpu_ms_per_picture: float
    decode_cpu_ms_per_picture: float
    times: float
    cpu_times: float


@dataclass(frozen=True)
class Summary:
    """What a session says.

    `pictures_per_second`: stream pictures, file to decision. `allowed_per_second`: stream pictures if only the
    stages took time, from the same calls made alone. `efficiency`: the first over the second.
    `stage_ms_per_sample` and `other_ms_per_sample`: the paper's "CNN" and "Preprocess", work per sampled picture.
    """

    rows: List[Row]
    latency: Row
    pictures_per_second: float
    samples_per_second: float
    decisions_per_second: float
    allowed_per_second: float
    efficiency: float
    stage_ms_per_sample: float
    other_ms_per_sample: float
    realtime: float
    against: Optional[Comparison]


def summarise(session: Session) -> Summary:
    """All figures of a session."""
    run, alone = session.run, session.stages_alone
    pictures_rate = _rate(run.pictures, run)
    allowed = _rate(alone.pictures, alone)
    stage_ms = sum(sum(spans) for name, spans in run.spans_ms.items() if name.startswith("stage:"))
    total_ms = sum(sum(spans) for spans in run.spans_ms.values())
    samples = max(run.sampled, 1)
    return Summary(
        rows=_rows(run.spans_ms),
        latency=_row("end to end", run.latency_ms, 0.0),
        pictures_per_second=pictures_rate,
        samples_per_second=_rate(run.sampled, run),
        decisions_per_second=_rate(run.decisions, run),
        allowed_per_second=allowed,
        efficiency=pictures_rate / allowed if allowed else 0.0,
        stage_ms_per_sample=stage_ms / samples,
        other_ms_per_sample=(total_ms - stage_ms) / samples,
        realtime=pictures_rate / session.stream_fps if session.stream_fps else 0.0,
        against=None if session.against is None else _comparison(session.against),
    )


def parts_of(summaries: Sequence[Summary]) -> List[str]:
    """The spans of all of them, each once, in the order in which data flows."""
    names = dict.fromkeys(row.name for summary in summaries for row in summary.rows)
    return sorted(names, key=_place)


def _comparison(against: Against) -> Comparison:
    turns, decode = against.turns, against.decode
    pictures = max(1, sum(turn.pictures for turn in turns))
    return Comparison(
        rows=_rows(decode.spans_ms),
        latency=_row("end to end", decode.latency_ms, 0.0),
        pictures_per_second=_rate(decode.pictures, decode),
        cpu_ms_per_picture=1e3 * sum(turn.cpu_seconds for turn in turns) / pictures,
        decode_cpu_ms_per_picture=1e3 * sum(turn.decode_cpu_seconds for turn in turns) / pictures,
        times=median(_over(turn.decode_seconds, turn.seconds) for turn in turns),
        cpu_times=median(_over(turn.decode_cpu_seconds, turn.cpu_seconds) for turn in turns),
    )


def _over(value: float, base: float) -> float:
    """A quotient; 0 where a clock of coarse ticks has not moved."""
    return value / base if base > 0 else 0.0


def _rate(count: int, phase: Phase) -> float:
    return count / phase.wall_seconds if phase.wall_seconds > 0 else 0.0


def _rows(spans_ms: Dict[str, List[float]]) -> List[Row]:
    total = sum(sum(spans) for spans in spans_ms.values()) or 1.0
    names = sorted(spans_ms, key=_place)
    return [_row(name, spans_ms[name], sum(spans_ms[name]) / total) for name in names]


def _place(name: str) -> int:
    kind = name.split(":")[0]
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def _row(name: str, spans: List[float], share: float) -> Row:
    if not spans:
        return Row(name, 0, 0.0, 0.0, 0.0, 0.0)
    p50, p90, p99 = (float(value) for value in np.percentile(spans, (50, 90, 99)))
    return Row(name, len(spans), p50, p90, p99, share)
