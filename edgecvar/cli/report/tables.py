"""Tables as the README has them, in Markdown or on a terminal."""

from __future__ import annotations

from typing import Any, Collection, Sequence

from edgecvar.terminal import say


def print_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str]) -> None:
    """A Markdown table; the columns in `right` are aligned to the right."""
    rule = "|".join("---:" if column in right else "---" for column in columns)
    lines = [f"| {' | '.join(columns)} |", f"|{rule}|"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    for line in lines:
        say(line)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Collection[str],
    wraps: Collection[str] = (),
    width: int = 132,
) -> None:
    """The same without lines; a terminal narrower than `width` breaks it, for rich would leave figures out."""
    from rich.table import Table

    from edgecvar.console import Console

    console = Console()
    console.width = max(console.width, width)
    table = Table(padding=(0, 1), collapse_padding=True, pad_edge=False, box=None)
    for column in columns:
        justify: Any = "right" if column in right else "left"
        table.add_column(column, justify=justify, no_wrap=column not in wraps)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def amount(value: float, exact: bool = True) -> str:
    """A count in G, M or k: of three figures, or with `exact` off as short as the paper prints it."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size / 10:
            return f"{value / size:{'#' if exact else ''}.3g}".rstrip(".") + f" {unit}"
    return f"{value:.0f}"
