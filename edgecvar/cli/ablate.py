"""`edgecvar ablate`: an ablation's file in, its table out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional, Tuple

import click

from edgecvar.errors import need_extra
from edgecvar.interrupts import exit_code
from edgecvar.terminal import say


@click.command("ablate", short_help="Train a recipe's ablations and print their table.")
@click.argument("arguments", nargs=-1, metavar="FILE [KEY=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--markdown", is_flag=True, help="Print the table as docs/measured.md has it.")
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
    from edgecvar.cli.report.ablation import print_ablation
    from edgecvar.train.ablation import load_ablation, plan
    from edgecvar.train.ablation_rows import run_ablation
    from edgecvar.train.progress import TerminalListener

    file = Path(arguments[0])
    ablation = load_ablation(file)
    planned = plan(ablation, file, arguments[1:], output or Path("runs") / file.stem)
    try:
        rows = list(run_ablation(planned, ablation.test, TerminalListener()))
    except KeyboardInterrupt as error:
        say(f"{str(error) or 'interrupted'}; what is done stays, and the same command goes on with the rest", err=True)
        sys.exit(exit_code(error))
    print_ablation(ablation, rows, as_json, markdown)
