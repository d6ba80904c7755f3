"""The block of a session that a user pastes to report a device."""

from __future__ import annotations

from typing import List

from edgecvar import __version__
from edgecvar.bench.session import Session
from edgecvar.bench.summary import summarise
from edgecvar.cli.report.device.board import board_facts
from edgecvar.cli.report.device.layers import layers_block


def session_block(session: Session) -> List[str]:
    """Facts of machine and board, stages and slowest layers; it names no host, user or file."""
    summary, board = summarise(session), session.board
    facts = {"edgecvar": __version__, **session.machine, **(board_facts(board) if board is not None else {})}
    facts["runner"] = f"{session.runner}, {session.precision}" + (", untrained" if session.untrained else "")
    facts["stream"] = (
        f"{session.width} x {session.height}, {session.stream_fps:.4g} pictures/s, every {session.every}, "
        f"{session.extraction or 'unknown'} extraction"
    )
    facts["rate"] = (
        f"{summary.pictures_per_second:.1f} pictures/s, {summary.decisions_per_second:.1f} decisions/s, "
        f"end to end {summary.latency.p50_ms:.2f} ms (p50), {summary.latency.p99_ms:.2f} ms (p99)"
    )
    spans = [f"{row.name} {row.p50_ms:.3f} ms x {row.count}" for row in summary.rows]
    facts["spans"] = ", ".join(spans)
    return [*(f"{name}: {said}" for name, said in facts.items()), *layers_block(session.layers)]
