"""How streams that run at the same time are shown: a table for people, a document for machines."""

from __future__ import annotations

from typing import Any, Dict, Tuple

from rich.table import Table

from edgecvar.bench.streams.together_session import TogetherSession, TogetherTrial
from edgecvar.console import Console
from edgecvar.documents import MEBIBYTE


def together_document(session: TogetherSession) -> Dict[str, Any]:
    """Every trial and what it comes to, ready for JSON."""
    document = session.model_dump()
    for entry, trial in zip(document["trials"], session.trials):
        entry.update(
            decisions_per_second=trial.decisions_per_second,
            fairness=trial.fairness,
            launches_per_batch=trial.batch,
            growth=trial.growth,
        )
    return document


def print_together(session: TogetherSession, console: Console) -> None:
    """Draws the table, and says what was measured how."""
    console.print(f"{session.bundle} ({session.runner}, {session.precision})", style="bold")
    if session.untrained:
        console.print("UNTRAINED weights: timings only", style="bold red")
    console.print(f"{session.streams} streams of {', '.join(session.sources)}")
    console.print("machine: " + ", ".join(f"{key} {value}" for key, value in session.machine.items()))
    table = Table()
    table.add_column("way")
    for column in (
        "decisions/s",
        "ms since read",
        "ms since sent",
        "a stream",
        "a batch",
        "cores",
        "machine",
        "MB",
        "growth",
        "threads",
    ):
        table.add_column(column, justify="right")
    for trial in session.trials:
        table.add_row(trial.way, *_cells(trial))
    console.print(table)
    seconds = session.trials[0].seconds
    for line in (
        f"measured for {seconds:.0f} s each, after a warm-up; ms: p50 / p90 / p99 from a packet out of the reader, "
        "and from the camera, to the decision",
        f"a stream: fewest to most decisions; a batch: launches that went through as one, at most {session.max_batch}; "
        f"cores: of {session.cores}, machine: the part taken by anyone, with the load average at the end",
    ):
        console.print(line)


def _cells(trial: TogetherTrial) -> Tuple[str, ...]:
    busy = "-" if trial.machine_busy is None else f"{trial.machine_busy:.0%}"
    return (
        f"{trial.decisions_per_second:.1f}",
        _milliseconds(trial.read_ms),
        "-" if trial.sent_ms is None else _milliseconds(trial.sent_ms),
        f"{trial.fewest} to {trial.most}",
        f"{trial.batch:.2f}",
        f"{trial.cpu_seconds / trial.seconds:.2f}",
        f"{busy}, load {trial.load:.1f}",
        f"{trial.resident_bytes[1] / MEBIBYTE:.0f}",
        f"{trial.growth:+.1%}",
        str(trial.threads),
    )


def _milliseconds(quantiles: Tuple[float, ...]) -> str:
    return " / ".join(f"{each:.1f}" for each in quantiles)
