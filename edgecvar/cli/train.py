"""`edgecvar train`: labelled clips or a recipe in, a run folder out."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

import click

from edgecvar.errors import ConfigError, EdgecvarError, need_extra, reason
from edgecvar.interrupts import exit_code
from edgecvar.terminal import say, say_json

if TYPE_CHECKING:
    from edgecvar.train.loop import Training
    from edgecvar.train.progress import Listener
    from edgecvar.train.recipe import Recipe

RESUMABLE = (
    "epochs",
    "early_stop",
    "data",
    "validation",
    "split.files",
    "flow.cache",
    "augment.reencode.cache",
    "allow_repeats",
    "cache_gib",
    "workers",
    "threads",
    "device",
    "devices",
    "nodes",
)
"""What may differ when a run goes on: where the clips lie, how fast they come, how long it lasts."""


@click.command(short_help="Train a network on labelled videos.")
@click.argument("arguments", nargs=-1, metavar="FOLDER|CSV|RECIPE [KEY=VALUE]...")
@click.option("--split-by", metavar="REGEX", help="Group 1 in a file's name is its group; or numbers, or clips.")
@click.option(
    "--validation-fraction", type=float, metavar="PART", help="Of the clips, in whole groups. [default: 0.25]"
)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with the run in this folder.")
@click.option("--dry-run", is_flag=True, help="Print classes, split, recipe and what is not there; train nothing.")
@click.option("--list", "listed", is_flag=True, help="List the recipes that can be named.")
@click.option("--json", "as_json", is_flag=True, help="Write each epoch as a JSON line, and the run at the end.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
def command(listed: bool, **options: Any) -> None:
    """Train a network on the clips of FOLDER, or as RECIPE says.

    FOLDER holds a folder of clips for each class, or train/ and val/ that do; a CSV has path,label and perhaps split.
    The recipe is chosen by the number of clips. Of up to 1000, what moves is tried and then, with the extra pretrained,
    what a picture shows; what names more of the clips that validate is kept. These are val/, those of the CSV's split,
    or a quarter of the clips: whole groups, as of persons or scenes, where file names show some, else stretches of
    neighbouring numbers. Clips that cannot be read are skipped and counted.

    RECIPE is a YAML file or the name of a shipped one; its keys, as those of the chosen one, can be set on the way.

    \b
    edgecvar train my_videos
    edgecvar train my_videos --split-by '(person\\d+)_' --validation-fraction 0.3 epochs=20
    edgecvar train my_videos --dry-run > my_recipe.yaml
    edgecvar train gestures/attp data=my_videos --validation-fraction 0.25 network.fusion=i
    edgecvar train --resume runs/attp/20260101-120000
    edgecvar train --resume runs/attp/20260101-120000 epochs=60

    With epochs=N a run goes on for longer, or shorter, than it was planned, also when it has ended: the rate of its
    further steps is that of the schedule over N epochs.

    Needs the train extra: pip install 'edgecvar[train]'.
    """
    need_extra("train", "training", "torch")
    if listed:
        _list()
        return
    from edgecvar.train.loop import start_run
    from edgecvar.train.progress import JsonListener, Listener, TerminalListener
    from edgecvar.train.together.processes import is_first

    as_json: bool = options["as_json"]
    listener: Listener = JsonListener() if as_json else TerminalListener()
    if options["dry_run"]:
        _plan(options, listener)
        return
    if options["resume"] is not None:
        training = _resumed(options, listener)
        _carry_out(training, listener, as_json)
        _say_next(training, as_json)
        return
    heard = listener if is_first(os.environ) else Listener()
    recipes, root = _recipes(options, heard), options["output"]
    if len(recipes) > 1:
        _try(recipes, root, listener, as_json)
        return
    training = start_run(recipes[0], root, listener)
    _carry_out(training, listener, as_json)
    _say_next(training, as_json)


def _carry_out(training: Training, listener: Listener, as_json: bool) -> None:
    if not training.processes.first:  # the first says how it goes, and ends as it went
        with suppress(KeyboardInterrupt):
            training.fit()
        return
    listener.say(f"run folder {training.folder}")
    _fit(training)
    _conclude(training, listener, as_json)


@dataclass(frozen=True)
class Tried:
    """What a run came to: the part of the clips that validate which it names."""

    model: str
    folder: Path
    top1: float


def _try(recipes: Sequence[Recipe], root: Path, listener: Listener, as_json: bool) -> None:
    """A run of each recipe, up to one that names every clip that validates; says which of them is kept.

    Of equals it is the first. Several processes carry out one alone.
    """
    from edgecvar.train.loop import start_run

    tried: List[Tried] = []
    for recipe in recipes:
        training = start_run(recipe, root, listener)
        _carry_out(training, listener, as_json)
        top1 = 0.0 if training.best is None else training.best.validation_top1 or 0.0
        tried.append(Tried(recipe.network.model, training.folder, top1))
        if not training.processes.first:
            return
        if training.processes.count > 1 or top1 == 1:
            break
        del training  # it holds clips, which the next one reads for itself
    kept = max(tried, key=lambda each: each.top1)
    if as_json:
        say_json({"kept": str(kept.folder), "validation_top1": kept.top1})
        return
    others = ", ".join(f"{each.model} {each.top1:.1%}" for each in tried if each is not kept)
    say(f"kept: {kept.model}, validation top-1 {kept.top1:.1%}{others and f' ({others})'}: {kept.folder}")
    say(f"next: {_compiling(kept.model, kept.folder)}")


def _fit(training: Training) -> None:
    """To the last epoch; who stops it, or a full disk, is told how the run goes on."""
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


def _resumed(options: Dict[str, Any], listener: Listener) -> Training:
    from edgecvar.train.loop import resume_run
    from edgecvar.train.recipe import first_outside

    overrides = options["arguments"]
    if options["split_by"] is not None or options["validation_fraction"] is not None:
        raise click.UsageError("--split-by and --validation-fraction are for a new run; a resumed one keeps its split")
    wrong = first_outside(overrides, RESUMABLE)
    if wrong is not None:
        raise ConfigError(f"{wrong!r}: a resumed run keeps its recipe; only {', '.join(RESUMABLE)} may be set")
    return resume_run(options["resume"], overrides, listener)


def _recipes(options: Dict[str, Any], listener: Listener) -> List[Recipe]:
    from edgecvar.train.start.given import Wishes, recipes_for

    arguments: Tuple[str, ...] = options["arguments"]
    if not arguments or "=" in arguments[0]:
        raise click.UsageError(
            "give a folder of clips, a CSV or a recipe first, for example my_videos or gestures/attp, or --resume RUN"
        )
    wishes = Wishes(arguments[1:], options["split_by"], options["validation_fraction"])
    return recipes_for(arguments[0], wishes, listener)


def _plan(options: Dict[str, Any], listener: Listener) -> None:
    if options["resume"] is not None:
        raise click.UsageError("--dry-run is for a new run; of a resumed one RUN/recipe.yaml says what it does")
    from edgecvar.cli.report.plan import print_plan
    from edgecvar.train.start.checks import resolve
    from edgecvar.train.start.rehearsal import Rehearsals

    recipe = resolve(_recipes(options, listener)[0])
    print_plan(recipe, Rehearsals().of(recipe), options["as_json"])


def _list() -> None:
    from edgecvar.cli.report.plan import print_recipes
    from edgecvar.train.start.shipped import list_recipes

    print_recipes(list_recipes())


def _conclude(training: Training, listener: Listener, as_json: bool) -> None:
    from edgecvar.cli.report.page.training_run import page_of_run

    page = page_of_run(training, listener)
    best = training.best
    if as_json:
        found = {} if page is None else {"page": str(page)}
        say_json({"run": str(training.folder), "best": None if best is None else best.model_dump(), **found})
        return
    if best is not None and best.validation_top1 is not None:
        chance = training.clips.chance
        say(f"best: epoch {best.epoch}, validation top-1 {best.validation_top1:.1%} (chance {chance:.1%})")
    say(f"run: {training.folder}")
    if page is not None:
        say(f"page: {page}")


def _say_next(training: Training, as_json: bool) -> None:
    best = training.best
    if as_json or not training.processes.first:
        return
    if best is None:
        say("only a teacher was trained, not the network, so there is no best.pt")
        say(f"next: edgecvar train RECIPE teacher={training.folder / 'last.pt'}, with alignment among its losses")
        return
    if best.epoch == training.epoch and best.validation_top1 != 1:
        longer = 2 * max(training.epoch, training.recipe.course.epochs)
        say(f"for longer: edgecvar train --resume {training.folder} epochs={longer}")
    if training.network.sees_flow:
        say(f"next: edgecvar eval {training.folder}; no device has optical flow, so there is nothing to compile")
        return
    say(f"next: {_compiling(training.recipe.network.model, training.folder)}")


def _compiling(model: str, folder: Path) -> str:
    """The command that compiles this run: by the network's name where that finds it, else by its file."""
    from edgecvar.train.checkpoint import BEST, newest_run

    with suppress(ConfigError):
        if newest_run(model).resolve() == folder.resolve():
            return f"edgecvar compile --model {model}"
    return f"edgecvar compile --checkpoint {shlex.quote(str(folder / BEST))}"
