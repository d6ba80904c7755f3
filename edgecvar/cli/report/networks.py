"""Networks side by side, as a table or a document."""

from __future__ import annotations

from typing import Any, Dict, List

from edgecvar.bench.networks import NetworkFigures, NetworksSession
from edgecvar.cli.report.tables import amount, print_markdown, print_table
from edgecvar.terminal import say

RATES = ("pictures/s", "sampled/s")
RIGHT = ("top-1", "parameters", "multiply-adds", *RATES)


def print_networks(session: NetworksSession, as_markdown: bool) -> None:
    """The table, with what it was measured on; in Markdown the table alone."""
    columns = ["network", "size", *(column for column in RIGHT if column != "top-1" or session.data is not None)]
    rows = [_cells(each) for each in session.networks]
    if as_markdown:
        print_markdown(columns, rows, RIGHT)
        return
    print_table(columns, rows, RIGHT)
    width, height = session.source_size
    rounds = len(session.networks[0].rounds)
    say(
        f"{session.source}: {width} x {height}, {session.source_fps:.4g} pictures/s; {session.runner}; "
        f"medians of {rounds} rounds of {session.seconds:g} s, decoding included"
    )
    say("machine: " + ", ".join(f"{key} {value}" for key, value in session.machine.items()))
    for each in session.networks:
        if each.accuracy is not None and (each.accuracy.undecided or each.accuracy.unreadable):
            say(
                f"{each.name}: {each.accuracy.undecided} clips without a decision, counted as wrong; "
                f"{each.accuracy.unreadable} unreadable, not counted"
            )


def _cells(figures: NetworkFigures) -> List[str]:
    return [
        figures.name,
        f"{figures.height} x {figures.width}",
        *([] if figures.accuracy is None else [f"{100 * figures.accuracy.top1:.1f} %"]),
        amount(figures.parameters),
        amount(figures.multiply_adds),
        f"{figures.pictures_per_second:.0f}",
        f"{figures.samples_per_second:.0f}",
    ]


def networks_document(session: NetworksSession) -> Dict[str, Any]:
    """Every round, and what they come to."""
    document = session.model_dump()
    for entry, each in zip(document["networks"], session.networks):
        entry["top1"] = None if each.accuracy is None else round(each.accuracy.top1, 6)
        entry["pictures_per_second"] = each.pictures_per_second
        entry["samples_per_second"] = each.samples_per_second
    return document
