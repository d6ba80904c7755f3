"""How the speed of training data is shown: a table for people, a document for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List

from rich.table import Table

from edgecvar.console import Console

if TYPE_CHECKING:
    from edgecvar.train.data.speed import DataSession

TITLES = {"warm": "batches, as the cache has the clips (warm)", "cold": "batches, every clip read again (cold)"}


def data_document(session: DataSession) -> Dict[str, Any]:
    """Every round, and what they come to, ready for JSON."""
    document = session.model_dump()
    document["read_clips_per_second"] = session.clips / session.read_seconds
    document["summary"] = {
        state: {
            "clips_per_second": session.clips_per_second(state),
            "wait_ms": session.wait_ms(state),
            "step_ms": session.step_ms(state),
            "waiting_share": session.waiting_share(state),
        }
        for state in session.rounds
    }
    document["longest"]["median_cpu_seconds"] = {
        way: session.longest.seconds(way) for way in session.longest.cpu_seconds
    }
    return document


def print_data(session: DataSession, console: Console) -> None:
    """Draws the table, and says what was measured how."""
    height, width = session.size
    console.print(
        f"{session.recipe}: {session.model}, {session.segments} pictures of a clip, {height} x {width}", style="bold"
    )
    console.print("machine: " + ", ".join(f"{key} {value}" for key, value in session.machine.items()))
    table = Table()
    table.add_column("what")
    for column in ("clips/s", "wait a step, ms", "step, ms", "waiting"):
        table.add_column(column, justify="right")
    table.add_row("first reading", f"{session.clips / session.read_seconds:.1f}", "", "", "")
    for state in session.rounds:
        table.add_row(
            TITLES[state],
            f"{session.clips_per_second(state):.1f}",
            f"{session.wait_ms(state):.1f}",
            f"{session.step_ms(state):.1f}",
            f"{session.waiting_share(state):.0%}",
        )
    console.print(table)
    for line in _meanings(session):
        console.print(line)


def _meanings(session: DataSession) -> List[str]:
    longest, workers = session.longest, session.workers
    rounds = next(iter(session.rounds.values()))
    ways = [f"{way} {1e3 * longest.seconds(way):.0f} ms" for way in longest.cpu_seconds]
    last = longest.seconds(list(longest.cpu_seconds)[-1])
    first = longest.seconds(next(iter(longest.cpu_seconds)))
    return [
        f"{session.kept} of {session.clips} clips stay in memory, in {session.kept_bytes / 2**20:.0f} MiB; medians of "
        f"{len(rounds)} rounds of {rounds[0].batches} batches of {session.batch}, {workers} threads",
        "clips/s of batches is with nothing else going on; then each batch is trained on: waiting is the part of "
        "training in which there was none yet",
        f"{longest.sampled} pictures of the longest clip ({longest.path}, {longest.pictures} pictures), CPU time: "
        f"{', '.join(ways)}; the first is {first / last:.0%} of the last",
    ]
