"""How sessions that were measured in turn are shown: one table with a column each."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from rich.table import Table

from edgecvar.bench.session import Session
from edgecvar.bench.side_by_side import subjects
from edgecvar.bench.summary import Summary, parts_of, summarise
from edgecvar.cli.report.session import as_document
from edgecvar.console import Console


def as_documents(sessions: Sequence[Session]) -> Dict[str, Any]:
    """Each as it is alone, ready for JSON."""
    return {"sessions": [as_document(session) for session in sessions]}


def print_side_by_side(sessions: Sequence[Session], console: Console) -> None:
    """Draw the table, and say which is the fastest."""
    names = subjects([(session.bundle, session.precision) for session in sessions])
    summaries = [summarise(session) for session in sessions]
    first = sessions[0]
    for name, session in zip(names, sessions):
        untrained = "; UNTRAINED weights: timings only" if session.untrained else ""
        console.print(f"{name}: {session.bundle} ({session.runner}, {session.precision}){untrained}", style="bold")
    console.print(
        f"{first.source}: {first.width} x {first.height}, {first.stream_fps:.4g} pictures/s; measured in turn, "
        + ", ".join(f"{session.run.wall_seconds:.1f} s" for session in sessions)
    )
    console.print("machine: " + ", ".join(f"{key} {value}" for key, value in first.machine.items()))
    table = Table()
    table.add_column("p50 ms")
    for name in names:
        table.add_column(name, justify="right")
    for part in parts_of(summaries):
        table.add_row(part, *(_p50(part, summary) for summary in summaries))
    table.add_row("end to end", *(f"{summary.latency.p50_ms:.2f}" for summary in summaries))
    table.add_section()
    for title, cells in _figures(sessions, summaries).items():
        table.add_row(title, *cells)
    console.print(table)
    console.print(_verdict(names, summaries))


def _p50(part: str, summary: Summary) -> str:
    """Empty where it has no such part."""
    return next((f"{row.p50_ms:.2f}" for row in summary.rows if row.name == part), "")


def _figures(sessions: Sequence[Session], summaries: Sequence[Summary]) -> Dict[str, List[str]]:
    return {
        "sampled: one of every": [str(session.every) for session in sessions],
        "pictures/s": [f"{each.pictures_per_second:.1f}" for each in summaries],
        "decisions/s": [f"{each.decisions_per_second:.1f}" for each in summaries],
        "ms a sample, stages": [f"{each.stage_ms_per_sample:.2f}" for each in summaries],
        "ms a sample, the rest": [f"{each.other_ms_per_sample:.2f}" for each in summaries],
        "stages alone, pictures/s": [f"{each.allowed_per_second:.1f}" for each in summaries],
        "efficiency": [f"{each.efficiency:.0%}" for each in summaries],
    }


def _verdict(names: Sequence[str], summaries: Sequence[Summary]) -> str:
    order = sorted(range(len(names)), key=lambda place: -summaries[place].pictures_per_second)
    fastest, slowest = order[0], order[-1]
    times = summaries[fastest].pictures_per_second / max(summaries[slowest].pictures_per_second, 1e-9)
    return f"fastest: {names[fastest]}, {times:.2f} times the pictures/s of {names[slowest]}, the slowest"
