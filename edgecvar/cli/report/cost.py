"""What a network costs, stage by stage, as a table or a document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict

from rich.table import Table

from edgecvar.console import Console
from edgecvar.nets.cost.complexity import NetworkCost


def cost_document(model: str, cost: NetworkCost, spec: Any, classes: int) -> Dict[str, Any]:
    """As plain data."""
    return {
        "model": model,
        "classes": classes,
        "input": spec.model_dump(),
        **asdict(cost),
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "kept_multiply_adds": {
            "one_sampled": cost.window_multiply_adds(1),
            "all_sampled": cost.sampled_multiply_adds(cost.gop_length - 1),
        },
    }


def print_cost(title: str, cost: NetworkCost, console: Console) -> None:
    """The table of parts, and what a sampled picture costs where I-features are kept."""
    table = Table(title=title, title_justify="left")
    for column in ("stage", "part", "once", "parameters", "multiply-adds"):
        table.add_column(column, justify="left" if column in ("stage", "part", "once") else "right", no_wrap=True)
    for stage in cost.stages:
        runs = "a GOP" if stage.cadence == "gop" else "a sample"
        for index, part in enumerate(stage.parts):
            first = index == 0
            table.add_row(
                stage.name if first else "",
                part.name,
                runs if first else "",
                _amount(part.parameters),
                _amount(part.multiply_adds),
            )
    table.add_section()
    counted = " + ".join(f"{stage.runs} x {stage.name}" if stage.runs > 1 else stage.name for stage in cost.stages)
    table.add_row("total", "as in the paper", "", _amount(cost.parameters), _amount(cost.multiply_adds))
    console.print(table)
    many = cost.gop_length - 1
    console.print(
        f"a sampled picture, nothing kept: {counted}: {_amount(cost.multiply_adds)} multiply-adds",
    )
    console.print(
        f"I-features kept for a GOP of {cost.gop_length}: {_amount(cost.sampled_multiply_adds(1))} a sampled picture "
        f"when one is sampled ({_amount(cost.stream_multiply_adds(1))} a stream picture), "
        f"{_amount(cost.sampled_multiply_adds(many))} when all {many} are",
    )


def _amount(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.2f} {unit}"
    return f"{value:.0f}"
