"""`edgecvar ablate`: an ablation's file in, its table out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Sequence, Tuple

import click

from edgecvar.errors import need_extra
from edgecvar.interrupts import exit_code
from edgecvar.terminal import say

if TYPE_CHECKING:
    from edgecvar.train.ablation import Ablation, Planned


@click.command("ablate", short_help="Train a recipe's ablations and print their table.")
@click.argument("arguments", nargs=-1, metavar="NAME|FILE [KEY=VALUE]...")
@click.option("--dry-run", is_flag=True, help="Say what would be trained, on what, by which commands; train nothing.")
@click.option("--list", "listed", is_flag=True, help="List the ablations that can be named.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--markdown", is_flag=True, help="Print the table as docs/measured.md has it.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the runs [default: runs/NAME].")
def command(
    arguments: Tuple[str, ...], dry_run: bool, listed: bool, as_json: bool, markdown: bool, output: Optional[Path]
) -> None:
    """Train one recipe once for each row that FILE (YAML) states, test each row's best epoch, and print the table.

    \b
    edgecvar ablate synth/attp-table3
    edgecvar ablate ucf101/team-table3 data=VIDEOS split.files=LISTS weights=RUN
    edgecvar ablate ucf101/attp data=VIDEOS split.files=LISTS
    edgecvar ablate my_rows.yaml network.dim=512 -o runs/wider

    NAME is a shipped ablation, or a recipe: that is one row. Rows on official lists that papers average over are
    trained once on each of the three splits, and the table has each and their mean; split.number=1 is the first alone.

    KEY=VALUE sets a key of the recipe in every row. Top-1 is of the clips that FILE's `test` names, else of those that
    validate, by which the best epoch was chosen too. Stopped with Ctrl-C, the same command goes on: finished rows
    stay, the one under way is resumed.

    Needs the train extra: pip install 'edgecvar[train]'.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown: one or the other")
    need_extra("train", "training", "torch")
    if listed:
        _list()
        return
    if not arguments or "=" in arguments[0]:
        raise click.UsageError("give an ablation first, for example synth/attp-table3; --list shows them")
    from edgecvar.train.ablation import find_ablation, plan

    ablation, file = find_ablation(arguments[0])
    planned = plan(ablation, file, arguments[1:], output or _runs(arguments[0], file))
    if dry_run:
        _rehearse(ablation, planned, as_json)
        return
    _train(ablation, planned, as_json, markdown)


def _runs(given: str, file: Path) -> Path:
    """Where the runs go: a file's by its name, a shipped one's by that of its data set too."""
    return Path("runs") / (file.stem if Path(given).suffix else given)


def _train(ablation: Ablation, planned: Sequence[Planned], as_json: bool, markdown: bool) -> None:
    from edgecvar.cli.report.ablation.table import print_ablation
    from edgecvar.train.ablation_rows import run_ablation
    from edgecvar.train.progress import TerminalListener

    try:
        rows = list(run_ablation(planned, ablation.test, TerminalListener()))
    except KeyboardInterrupt as error:
        say(f"{str(error) or 'interrupted'}; what is done stays, and the same command goes on with the rest", err=True)
        sys.exit(exit_code(error))
    print_ablation(ablation, rows, as_json, markdown)


def _rehearse(ablation: Ablation, planned: Sequence[Planned], as_json: bool) -> None:
    from edgecvar.cli.report.ablation.rehearsed import print_rehearsals
    from edgecvar.train.ablation_rows import rehearse

    print_rehearsals(planned, rehearse(planned, ablation.test), as_json)


def _list() -> None:
    from edgecvar.train.ablation import load_ablation
    from edgecvar.train.start.shipped import ablation_files

    tables = {name: load_ablation(file) for name, file in ablation_files().items()}
    width = max(len(name) for name in tables)
    for name, table in tables.items():
        splits = f" ({len(table.splits)} splits)" if table.splits else ""
        say(f"{name:{width}}  {'; '.join(table.rows)}{splits}")
