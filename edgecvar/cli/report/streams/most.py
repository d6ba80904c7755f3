"""How many streams at a time are shown: a table for people, a document for machines."""

from __future__ import annotations

from typing import Any, Dict, List

from rich.table import Table

from edgecvar.bench.streams.session import DRIFT, LATE, StreamsSession, Trial, Way
from edgecvar.console import Console
from edgecvar.documents import MEBIBYTE

TITLES = {"reading": "reading the compressed video", "decoding": "decoding all"}


def streams_document(session: StreamsSession) -> Dict[str, Any]:
    """Every trial of both ways, and what they come to, ready for JSON."""
    document = session.model_dump()
    for name, way in _ways(session).items():
        for entry, trial in zip(document[name]["trials"], way.trials):
            entry["holds"] = trial.holds
        best = way.best
        document[name]["streams"] = way.streams
        document[name]["limit"] = way.limit(session.cores)
        document[name]["cpu_seconds_per_stream_second"] = None if best is None else best.cpu_per_stream_second
        document[name]["bytes_per_stream"] = None if best is None else best.bytes_per_stream
    return document


def print_streams(session: StreamsSession, console: Console) -> None:
    """Draws the table, and says what was measured how."""
    console.print(f"{session.bundle} ({session.runner}, {session.precision})", style="bold")
    if session.untrained:
        console.print("UNTRAINED weights: timings only", style="bold red")
    for camera in session.cameras:
        console.print(f"{camera.path}: {camera.width} x {camera.height}, {camera.fps:.4g} pictures/s")
    console.print("machine: " + ", ".join(f"{key} {value}" for key, value in session.machine.items()))
    table = Table()
    table.add_column("way")
    for column in ("streams", "CPU s a stream second", "MB a stream", "MB before", "latest s"):
        table.add_column(column, justify="right")
    table.add_column("what limits", overflow="fold")
    for name, way in _ways(session).items():
        table.add_row(TITLES[name], str(way.streams), *_cells(way), way.limit(session.cores))
    console.print(table)
    for line in [_together(session), *_meanings(session)]:
        console.print(line)


def _ways(session: StreamsSession) -> Dict[str, Way]:
    return {"reading": session.reading, "decoding": session.decoding}


def _cells(way: Way) -> List[str]:
    best = way.best
    if best is None:
        return ["-"] * 4
    mebibytes = (best.bytes_per_stream / MEBIBYTE, best.loaded_bytes / MEBIBYTE)
    return [
        f"{best.cpu_per_stream_second:.3f}",
        f"{mebibytes[0]:.1f}",
        f"{mebibytes[1]:.0f}",
        f"{best.latest_seconds:.2f}",
    ]


def _together(session: StreamsSession) -> str:
    """Both numbers in a sentence."""
    reading, decoding = session.reading.streams, session.decoding.streams
    counts = f"reading the compressed video: {_some(reading)} in real time, decoding all {_some(decoding)}"
    if not reading or not decoding:
        return counts
    return f"{counts}: {reading / decoding:.2f} times" + (": it saves nothing here" if reading <= decoding else "")


def _some(streams: int) -> str:
    return f"{streams or 'not one'} stream{'s' * (streams > 1)}"


def _meanings(session: StreamsSession) -> List[str]:
    tried = (f"{TITLES[name]}: {', '.join(map(_tried, way.trials))}" for name, way in _ways(session).items())
    return [
        f"a number holds where, for {session.seconds:g} s, every decision comes within {LATE:g} s of its picture, none "
        f"is left out, and delays do not grow by more than {DRIFT:g} s a minute; one that fails is tried again",
        f"{_sampled(session)}; decoding all: FFmpeg, the sampled scaled to RGB, and one pass "
        f"of the stage {session.stage}",
        "streams are threads of one process a core, which have loaded the bundle before (MB before, all of them)",
        *(f"tried, {line}" for line in tried),
    ]


def _sampled(session: StreamsSession) -> str:
    every = sorted({camera.every for camera in session.cameras})
    by_rate = ", by the camera's rate," if len(every) > 1 else ""
    return f"one of {' or '.join(map(str, every))} pictures{by_rate} is sampled"


def _tried(trial: Trial) -> str:
    return f"{trial.streams}{'' if trial.holds else ' (fails)'}"
