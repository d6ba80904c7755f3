"""`edgecvar ablate`: an ablation's file in, its table out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import click

from edgecvar.errors import need_extra

if TYPE_CHECKING:
    from edgecvar.train.ablation import Ablation
    from edgecvar.train.ablation_rows import RowResult


@click.command("ablate", short_help="Train a recipe's ablations and print their table.")
@click.argument("arguments", nargs=-1, metavar="FILE [KEY=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--markdown", is_flag=True, help="Print the table as the README has it.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the runs [default: runs/FILE's name].")
def command(arguments: Tuple[str, ...], as_json: bool, markdown: bool, output: Optional[Path]) -> None:
    """Train one recipe once for each row that FILE (YAML) states, test each row's best epoch, and print the table.

    \b
    edgecvar ablate recipes/synth/attp-table3.yaml
    edgecvar ablate recipes/synth/attp-table3.yaml network.dim=512 -o runs/wider

    KEY=VALUE sets a key of the recipe in every row. Top-1 is of the clips that FILE's `test` names, else of those that
    validate, by which the best epoch was chosen too. Stopped with Ctrl-C, the same command goes on: finished rows
    stay, the one under way is resumed.

    Needs the train extra: pip install 'edgecvar[train]'.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown: one or the other")
    if not arguments or "=" in arguments[0]:
        raise click.UsageError("give an ablation first, for example recipes/synth/attp-table3.yaml")
    need_extra("train", "training", "torch")
    from edgecvar.train.ablation import load_ablation, plan
    from edgecvar.train.ablation_rows import run_ablation
    from edgecvar.train.progress import TerminalListener

    file = Path(arguments[0])
    ablation = load_ablation(file)
    planned = plan(ablation, file, arguments[1:], output or Path("runs") / file.stem)
    try:
        rows = list(run_ablation(planned, ablation.test, TerminalListener()))
    except KeyboardInterrupt:
        click.echo("interrupted; what is done stays, and the same command goes on with the rest", err=True)
        sys.exit(130)
    _print(ablation, rows, as_json, markdown)


def _print(ablation: Ablation, rows: List[RowResult], as_json: bool, as_markdown: bool) -> None:
    from edgecvar.cli.report.tables import markdown, print_table

    if as_json:
        import json

        document = {"test": ablation.test, "rows": [_row_document(ablation, row) for row in rows]}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    columns, right = _columns(ablation, rows)
    cells = [_cells(ablation, row) for row in rows]
    if as_markdown:
        click.echo(markdown(columns, cells, right))
        return
    print_table(columns, cells, right)
    for row in rows:
        for each in row.seeds:
            if each.unreadable:
                click.echo(f"{row.name}, seed {each.seed}: {each.unreadable} clips unreadable, not counted")


def _columns(ablation: Ablation, rows: List[RowResult]) -> Tuple[List[str], List[str]]:
    """All the columns, and those with figures."""
    seeds = len(rows[0].seeds)
    figure = "validation top-1" if ablation.test is None else "test top-1"
    top1 = [figure] if seeds == 1 else [f"{figure}, mean of {seeds} seeds", "lowest to highest"]
    figures = [*top1, "parameters", "multiply-adds", *(f"paper: {column}" for column in ablation.paper)]
    return ["row", *figures], figures


def _cells(ablation: Ablation, row: RowResult) -> List[str]:
    from edgecvar.cli.report.tables import amount

    low, high = row.spread
    top1 = [f"{100 * row.top1:.1f} %", *([f"{100 * low:.1f} to {100 * high:.1f} %"] if len(row.seeds) > 1 else [])]
    paper = [f"{figures[row.name]:.1f} %" if row.name in figures else "" for figures in ablation.paper.values()]
    return [row.name, *top1, amount(row.cost.parameters), amount(row.cost.multiply_adds), *paper]


def _row_document(ablation: Ablation, row: RowResult) -> Dict[str, Any]:
    seeds = [
        {
            "seed": each.seed,
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
        "parameters": row.cost.parameters,
        "multiply_adds": row.cost.multiply_adds,
        "seeds": seeds,
        "paper": {column: figures.get(row.name) for column, figures in ablation.paper.items()},
    }
