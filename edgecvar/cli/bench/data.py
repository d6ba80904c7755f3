"""`edgecvar bench data`: how fast a recipe's training data comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Tuple

import click

from edgecvar.errors import need_extra
from edgecvar.terminal import say_json


@click.command("data")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--batches", type=click.IntRange(min=1), default=20, show_default=True, help="Of an epoch, at most.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Medians are of so many.")
@click.option("--json", "as_json", is_flag=True, help="Print every round and the figures as one JSON document.")
def command(recipe: Path, overrides: Tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Show how fast the training data of RECIPE comes, and how long training waits for it.

    Clips a second: of the first reading, of batches of clips that stay in memory (warm), and of batches of clips that
    are all read again (cold). Then training steps on the same batches, which change no weight: the wait for a batch
    beside the step itself. Of the longest clip, what its sampled pictures cost: sought, read through, and what decoding
    it whole costs. Nothing is written. Keys of the recipe can be set on the way, as for `edgecvar train`.
    """
    need_extra("train", "training", "torch")
    from edgecvar.cli.report.data import data_document, print_data
    from edgecvar.config import from_flags
    from edgecvar.console import Console
    from edgecvar.judge.machine import machine_facts, package_versions
    from edgecvar.train.data.speed import DataConfig, measure_data
    from edgecvar.train.progress import TerminalListener
    from edgecvar.train.recipe import load_recipe
    from edgecvar.train.start.shipped import find_recipe

    config = from_flags(DataConfig, options)
    versions = {name: version for name, version in package_versions().items() if name in ("av", "numpy", "torch")}
    machine = {**machine_facts(), **versions}
    loaded = load_recipe(find_recipe(str(recipe)), overrides)
    session = measure_data(loaded, str(recipe), config, machine, TerminalListener())
    if as_json:
        say_json(data_document(session))
    else:
        print_data(session, Console())
