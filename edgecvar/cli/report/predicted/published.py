"""The table of published latencies and what was predicted of each."""

from __future__ import annotations

from typing import List

from rich.table import Table

from edgecvar.bench.predicted.published import PublishedLine, PublishedSession
from edgecvar.console import Console
from edgecvar.terminal import say

COLUMNS = (
    "device",
    "network",
    "size",
    "precision",
    "batch",
    "measured ms",
    "predicted ms",
    "error",
    "without the device",
)
NAMES = 4
"""Columns that hold no figures."""


def print_published(session: PublishedSession, markdown: bool, console: Console) -> None:
    """Every line, those that are only judged marked, then the medians."""
    if markdown:
        say(f"| {' | '.join(COLUMNS)} |")
        say(f"|{'---|' * NAMES}{'---:|' * (len(COLUMNS) - NAMES)}")
        for line in session.lines:
            say(f"| {' | '.join(_cells(line))} |")
    else:
        table = Table()
        for place, column in enumerate(COLUMNS):
            table.add_column(column, justify="left" if place < NAMES else "right")
        for line in session.lines:
            table.add_row(*_cells(line))
        console.print(table)
    say("predicted: by a model that was fitted without this network; last column: without this device")
    say("* only judged: no prediction is fitted on it, and no median counts it")
    say(
        f"of {session.fitted_on} of {len(session.lines)} published latencies: median error {session.median_error:.1%} "
        f"without the network"
    )
    say(
        f"({session.median_of_networks:.1%} where each network counts once), {session.median_device_error:.1%} without "
        f"the device"
    )
    say(f"four of five took {session.spread[0]:.2f} to {session.spread[1]:.2f} times what was predicted")


def _cells(line: PublishedLine) -> List[str]:
    return [
        line.device,
        line.network + ("" if line.fitted else " *"),
        f"{line.size[1]} x {line.size[0]}",
        line.precision,
        str(line.batch),
        f"{line.measured_ms:.3g}",
        f"{line.predicted_ms:.3g}",
        f"{line.error:+.0%}",
        f"{line.without_device_error:+.0%}",
    ]
