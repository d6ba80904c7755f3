"""An ablation's table: a row each, with the paper's figures beside."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from edgecvar.cli.report.tables import amount, print_markdown, print_table
from edgecvar.terminal import say, say_json
from edgecvar.train.ablation import Ablation
from edgecvar.train.ablation_rows import RowResult


def print_ablation(ablation: Ablation, rows: List[RowResult], as_json: bool, as_markdown: bool) -> None:
    """The table, a document, or the table in Markdown."""
    if as_json:
        document = {"test": ablation.test, "rows": [_row_document(ablation, row) for row in rows]}
        say_json(document)
        return
    names, right = columns(ablation, rows)
    cells = [_cells(ablation, row) for row in rows]
    if as_markdown:
        print_markdown(names, cells, right)
        return
    print_table(names, cells, right)
    for row in rows:
        for each in row.seeds:
            if each.unreadable:
                split = "" if each.split is None else f", split {each.split}"
                say(f"{row.name}{split}, seed {each.seed}: {each.unreadable} clips unreadable, not counted")


def columns(ablation: Ablation, rows: List[RowResult]) -> Tuple[List[str], List[str]]:
    """All the columns, and those with figures."""
    splits = list(rows[0].splits)
    seeds = len({each.seed for each in rows[0].seeds})
    over = [*([f"{len(splits)} splits"] if len(splits) > 1 else []), *([f"{seeds} seeds"] if seeds > 1 else [])]
    title = "validation top-1" if ablation.test is None else "test top-1"
    if len(splits) == 1:
        title += f" of split {splits[0]}"
    top1 = [*(f"split {split}" for split in splits if len(splits) > 1)]
    top1 += [f"{title}, mean of {' and '.join(over)}" if over else title]
    top1 += ["lowest to highest"] if seeds > 1 else []
    figures = [*top1, "parameters", "multiply-adds", *(f"paper: {column}" for column in ablation.paper)]
    return ["row", *figures], figures


def _cells(ablation: Ablation, row: RowResult) -> List[str]:
    low, high = row.spread
    top1 = [f"{100 * each:.1f} %" for each in row.splits.values() if len(row.splits) > 1]
    top1 += [f"{100 * row.top1:.1f} %"]
    if len({each.seed for each in row.seeds}) > 1:
        top1 += [f"{100 * low:.1f} to {100 * high:.1f} %"]
    paper = [f"{figures[row.name]:.1f} %" if row.name in figures else "" for figures in ablation.paper.values()]
    cost = ["", ""] if row.cost is None else [amount(row.cost.parameters), amount(row.cost.multiply_adds)]
    return [row.name, *top1, *cost, *paper]


def _row_document(ablation: Ablation, row: RowResult) -> Dict[str, Any]:
    seeds = [
        {
            "seed": each.seed,
            **({} if each.split is None else {"split": each.split}),
            "run": str(each.run),
            "epoch": each.epoch,
            "validation_top1": each.validation_top1,
            "right": each.right,
            "clips": each.clips,
            "unreadable": each.unreadable,
            "top1": round(each.top1, 6),
        }
        for each in row.seeds
    ]
    return {
        "row": row.name,
        "top1": round(row.top1, 6),
        "splits": [{"split": split, "top1": round(top1, 6)} for split, top1 in row.splits.items()],
        "parameters": None if row.cost is None else row.cost.parameters,
        "multiply_adds": None if row.cost is None else row.cost.multiply_adds,
        "seeds": seeds,
        "paper": {column: figures.get(row.name) for column, figures in ablation.paper.items()},
    }
