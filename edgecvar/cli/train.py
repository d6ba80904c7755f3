"""`edgecvar train`: a recipe in, a run folder out."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

import click

from edgecvar.errors import ConfigError, EdgecvarError, need_extra, reason
from edgecvar.interrupts import exit_code
from edgecvar.terminal import say, say_json

if TYPE_CHECKING:
    from edgecvar.train.loop import Training
    from edgecvar.train.progress import Listener

RESUMABLE = (
    "data",
    "validation",
    "split.files",
    "flow.cache",
    "allow_repeats",
    "cache_gib",
    "workers",
    "threads",
    "device",
    "devices",
    "nodes",
)
"""What may differ when a run goes on: where the clips lie and how fast they come, not what is learnt."""


@click.command(short_help="Train a network on labelled videos.")
@click.argument("arguments", nargs=-1, metavar="RECIPE [KEY=VALUE]...")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with the run in this folder.")
@click.option("--json", "as_json", is_flag=True, help="Write each epoch as a JSON line, and the run at the end.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
def command(arguments: Tuple[str, ...], resume: Optional[Path], as_json: bool, output: Path) -> None:
    """Train the network of RECIPE (YAML), with any of its keys set on the way.

    \b
    edgecvar train recipes/synth/attp.yaml
    edgecvar train recipes/gestures/attp.yaml data=FOLDER epochs=5 network.fusion=i
    edgecvar train --resume runs/attp/20260101-120000

    Needs the train extra: pip install 'edgecvar[train]'.
    """
    need_extra("train", "training", "torch")
    from edgecvar.train.progress import JsonListener, TerminalListener

    listener: Listener = JsonListener() if as_json else TerminalListener()
    training = _begin(arguments, resume, output, listener)
    if not training.processes.first:  # the first says how it goes, and ends as it went
        with suppress(KeyboardInterrupt):
            training.fit()
        return
    listener.say(f"run folder {training.folder}")
    try:
        training.fit()
    except KeyboardInterrupt as error:
        say(
            f"{str(error) or 'interrupted'} after epoch {training.epoch} of {training.recipe.course.epochs}; "
            f"go on with: edgecvar train --resume {training.folder}",
            err=True,
        )
        sys.exit(exit_code(error))
    except OSError as error:
        raise EdgecvarError(
            f"{error.filename or training.folder}: cannot be written ({reason(error)}); make room, then go on with: "
            f"edgecvar train --resume {training.folder}"
        ) from error
    _conclude(training, listener, as_json)


def _begin(arguments: Tuple[str, ...], resume: Optional[Path], output: Path, listener: Listener) -> Training:
    from edgecvar.train.loop import resume_run, start_run
    from edgecvar.train.recipe import first_outside, load_recipe

    if resume is not None:
        wrong = first_outside(arguments, RESUMABLE)
        if wrong is not None:
            allowed = ", ".join(RESUMABLE)
            raise ConfigError(f"{wrong!r}: a resumed run keeps its recipe; only {allowed} may be set")
        return resume_run(resume, arguments, listener)
    if not arguments or "=" in arguments[0]:
        raise click.UsageError("give a recipe first, for example recipes/synth/attp.yaml, or --resume RUN")
    return start_run(load_recipe(Path(arguments[0]), arguments[1:]), output, listener)


def _conclude(training: Training, listener: Listener, as_json: bool) -> None:
    from edgecvar.cli.report.page.training_run import page_of_run

    page = page_of_run(training, listener)
    best, model = training.best, training.recipe.network.model
    if as_json:
        found = {} if page is None else {"page": str(page)}
        say_json({"run": str(training.folder), "best": None if best is None else best.model_dump(), **found})
        return
    if best is not None and best.validation_top1 is not None:
        say(f"best: epoch {best.epoch}, validation top-1 {best.validation_top1:.1%}")
    say(f"run: {training.folder}")
    if page is not None:
        say(f"page: {page}")
    if best is not None:
        say(f"next: edgecvar compile --model {model}")
        return
    say("only a teacher was trained, not the network, so there is no best.pt")
    say(f"next: edgecvar train RECIPE teacher={training.folder / 'last.pt'}, with alignment among its losses")
