"""`edgecvar eval`: how often a bundle, or a checkpoint as papers test it, is right on labelled clips."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Sequence

import click

from edgecvar.cli.flags import every_flag, runner_flags
from edgecvar.terminal import say, say_json


@click.command("eval", short_help="Measure a bundle or a checkpoint on labelled clips.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
@click.option("--match", metavar="REGEX", help="Only clips whose file name contains this regular expression.")
@every_flag
@click.option("--jobs", type=int, metavar="N", help="Processes; as many as there are cores unless given.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of a checkpoint: a key of its recipe.")
@runner_flags
def command(**options: Any) -> None:
    """Run BUNDLE on every clip of DIR/<label>/ and count: top-1, each class, confusions, clips that cannot be read.

    A clip's answer is the mean of the scores of all its sampled pictures.

    BUNDLE may be a run folder or its best.pt instead: torch then tests as the recipe's `test` says, with so many
    segments, clips, crops and mirror images, on DIR or, without it, on the clips that validate in the recipe.

    \b
    edgecvar eval attp.edgecvar data/synth/val
    edgecvar eval runs/attp/20260101-120000 --set test.segments=25 --set test.crops=5 --set test.flip=true
    """
    source = options["bundle"]
    overrides = options.pop("overrides")
    if source.suffix == ".pt" or (source / "best.pt").is_file():
        _refuse_runner_flags()
        evaluate_checkpoint(source, options["folder"], options["match"], overrides, options["as_json"])
        return
    if overrides:
        raise click.UsageError("--set is for a checkpoint; a bundle holds how it runs")
    if options["folder"] is None:
        raise click.UsageError("Missing argument 'DIR': the folder that holds a folder of clips for each class")
    from edgecvar.config import from_flags
    from edgecvar.judge.evaluate import EvalConfig

    evaluate(from_flags(EvalConfig, options))


def _refuse_runner_flags() -> None:
    """A flag that says how a bundle runs would go unheard."""
    context = click.get_current_context()
    heard = ("bundle", "folder", "as_json", "match", "overrides")
    for name in context.params:
        if name not in heard and context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} is for a bundle; a checkpoint runs in torch")


def evaluate_checkpoint(
    path: Path, folder: Optional[Path], match: Optional[str], overrides: Sequence[str], as_json: bool
) -> None:
    """Test a checkpoint and print; raises EdgecvarError."""
    from edgecvar.errors import need_extra
    from edgecvar.judge.evaluate import find_clips, matching, tally
    from edgecvar.progress import tracked

    need_extra("train", "testing a checkpoint", "torch")
    from edgecvar.train.evaluate import held_out, open_checkpoint, score_checkpoint

    checkpoint, recipe = open_checkpoint(path, overrides)
    left_out: List[str] = []
    if folder is None:
        clips = matching(held_out(checkpoint, recipe.data), match)
    else:
        clips = find_clips(folder, checkpoint.labels, match, left_out.append)
    _tell(left_out)
    scores = score_checkpoint(checkpoint, recipe.views, recipe.machine, clips)
    subject = {
        "checkpoint": str(path),
        "folder": None if folder is None else str(folder),
        "left_out": left_out,
        "test": recipe.views.test.model_dump(),
    }
    _print(tally(checkpoint.labels, list(tracked(scores, len(clips), "clips"))), subject, as_json)


def evaluate(config: Any) -> None:
    """Evaluate and print; raises EdgecvarError."""
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.judge.evaluate import find_clips, score_clips, tally
    from edgecvar.progress import tracked
    from edgecvar.sinks.untrained import warn_untrained

    bundle = open_bundle(config.bundle)
    labels = bundle.manifest.labels
    left_out: List[str] = []
    clips = find_clips(config.folder, labels, config.match, left_out.append)
    _tell(left_out)
    untrained = warn_untrained(bundle)
    results = list(tracked(score_clips(bundle, clips, config), len(clips), "clips"))
    subject = {"bundle": str(bundle.path), "folder": str(config.folder), "left_out": left_out}
    _print(tally(labels, results), subject, config.as_json, {"untrained": True} if untrained else {})
    if untrained and not config.as_json:
        say("untrained weights: the figures mean nothing")


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        say(line, err=True)


def _print(
    evaluation: Any, subject: Dict[str, Any], as_json: bool, last: Mapping[str, Any] = MappingProxyType({})
) -> None:
    from edgecvar.cli.report.evaluation import evaluation_document, print_evaluation
    from edgecvar.console import Console
    from edgecvar.errors import DatasetError

    if as_json:
        say_json({**subject, **evaluation_document(evaluation), **last})
    else:
        print_evaluation(evaluation, Console())
    if not evaluation.confusion.any():
        undecided, unreadable = len(evaluation.undecided), len(evaluation.unreadable)
        raise DatasetError(f"no clip was decided: {undecided} without a decision, {unreadable} could not be read")
