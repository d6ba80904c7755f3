"""How a session is shown: a table for people, a document for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict

from rich.table import Table

from edgecvar.bench.advice import advice
from edgecvar.bench.session import Session
from edgecvar.bench.summary import Row, summarise
from edgecvar.cli.report.bundle.exits import exit_lines
from edgecvar.cli.report.device.block import session_block
from edgecvar.cli.report.device.board import board_lines
from edgecvar.cli.report.device.layers import layers_notes, layers_table
from edgecvar.console import Console

DECODING = "decoding all: "
PASTE = "To tell us how this device did, paste this; it names no host, user or file (docs/report-a-device.md):"


def as_document(session: Session) -> Dict[str, Any]:
    """The summary and its circumstances, ready for JSON."""
    circumstances = session.model_dump(exclude={"warm_up", "run", "stages_alone", "against", "moments"})
    counts = {name: getattr(session.run, name) for name in ("pictures", "sampled", "decisions", "wall_seconds")}
    return {
        "session": circumstances,
        "counts": counts,
        "summary": asdict(summarise(session)),
        "advice": advice(session),
    }


def print_report(session: Session, console: Console) -> None:
    """Draw the table and say what one figure means."""
    summary = summarise(session)
    run = session.run
    console.print(f"{session.bundle} ({session.runner}, {session.precision})", style="bold")
    if session.untrained:
        console.print("UNTRAINED weights: timings only", style="bold red")
    console.print(
        f"{session.source}: {session.width} x {session.height}, {session.stream_fps:.4g} pictures/s; "
        f"{run.pictures} pictures, {run.sampled} sampled (every {session.every}), {run.decisions} decisions "
        f"in {run.wall_seconds:.2f} s, after {session.warm_up.wall_seconds:.2f} s of warm-up kept apart",
    )
    console.print("machine: " + ", ".join(f"{key} {value}" for key, value in session.machine.items()))
    table = Table()
    for column in ("what", "times", "p50 ms", "p90 ms", "p99 ms", "share"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in summary.rows:
        _add(table, row, f"{row.share:.1%}")
    table.add_section()
    _add(table, summary.latency, "")
    if summary.against is not None:
        table.add_section()
        for row in summary.against.rows:
            _add(table, row, f"{row.share:.1%}", DECODING)
        _add(table, summary.against.latency, "", DECODING)
    console.print(table)
    print_device(session, console)
    for line in [*_meanings(session), *_exits(session), *_predicted(session), *_saving(session), advice(session)]:
        console.print(line)
    if session.board is not None:
        for line in ("", PASTE, "", *session_block(session)):
            console.print(line)


def print_device(session: Session, console: Console) -> None:
    """The slowest layers, and what the board said."""
    if any(stage.layers for stage in session.layers):
        console.print(layers_table(session.layers))
    for line in [*layers_notes(session.layers), *(board_lines(session.board) if session.board is not None else [])]:
        console.print(line)


def _add(table: Table, row: Row, share: str, of: str = "") -> None:
    table.add_row(of + row.name, str(row.count), f"{row.p50_ms:.2f}", f"{row.p90_ms:.2f}", f"{row.p99_ms:.2f}", share)


def _meanings(session: Session) -> list[str]:
    summary = summarise(session)
    return [
        f"per sampled picture (the paper's figure): stages {summary.stage_ms_per_sample:.2f} ms, "
        f"everything else {summary.other_ms_per_sample:.2f} ms; {summary.samples_per_second:.1f} sampled pictures/s",
        f"per stream picture, decoding included: {1e3 / max(summary.pictures_per_second, 1e-9):.2f} ms; "
        f"{summary.pictures_per_second:.1f} pictures/s, {summary.realtime:.2f} x the stream's own rate",
        f"per decision: {1e3 / max(summary.decisions_per_second, 1e-9):.2f} ms; "
        f"{summary.decisions_per_second:.1f} decisions/s; end to end is a picture's packet to its decision, "
        "waiting in the queue included",
        f"the same stage calls alone allow {summary.allowed_per_second:.1f} pictures/s: "
        f"end to end reaches {summary.efficiency:.0%} of that",
    ]


def _exits(session: Session) -> list[str]:
    return [] if session.exits is None else exit_lines(session.exits, session.exit_record)


def _predicted(session: Session) -> list[str]:
    """What was predicted of the stages, beside what they took, where something was."""
    prediction, alone = session.prediction, session.stages_alone
    if prediction is None or not alone.sampled:
        return []
    measured = sum(sum(times) for times in alone.spans_ms.values()) / alone.sampled
    bounds = prediction.sample_ms
    return [
        f"the stages of a sampled picture: predicted {bounds.likely:.2f} ms ({bounds.low:.2f} to {bounds.high:.2f}), "
        f"measured alone {measured:.2f} ms"
    ]


def _saving(session: Session) -> list[str]:
    """What reading the compressed video saves, where that was measured."""
    against, compared = session.against, summarise(session).against
    if against is None or compared is None:
        return []
    saves = "" if compared.times > 1 else ": it saves no time here"
    return [
        f"decoding all (FFmpeg on {against.threads} threads, one pass of the stage {against.stage} a sampled picture): "
        f"{compared.pictures_per_second:.1f} pictures/s, {compared.decode_cpu_ms_per_picture:.2f} ms of CPU a picture, "
        f"where the run takes {compared.cpu_ms_per_picture:.2f} ms",
        f"reading the compressed video: {compared.times:.2f} times decoding all{saves}; "
        f"{compared.cpu_times:.2f} times by CPU time; medians of {len(against.turns)} turns on the same pictures",
    ]
