"""An ablation's file of the smallest recipe, and the command that trains it."""

from __future__ import annotations

from pathlib import Path
from typing import List

from click.testing import CliRunner, Result

from edgecvar.cli.ablate import command
from edgecvar.train.ablation import Planned, load_ablation, plan

ROWS = {"I": {"network.fusion": "i"}, "I + MV": {"network": {"fusion": "mv", "dropout": 0.3}, "lr": 0.002}}


def ablate(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def planned(file: Path, *overrides: str) -> List[Planned]:
    return plan(load_ablation(file), file, overrides, file.parent / "runs")
