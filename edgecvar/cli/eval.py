"""`edgecvar eval`: how often a bundle, or a checkpoint as papers test it, is right on labelled clips."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Sequence

import click

from edgecvar.cli.flags import every_flag, runner_flags
from edgecvar.terminal import say, say_json

if TYPE_CHECKING:
    from edgecvar.clips.labelled import Clip, ClipScore
    from edgecvar.judge.sources import ScoredSource


@dataclass(frozen=True)
class Output:
    """Where figures go: tables or a JSON document, and perhaps a page beside."""

    as_json: bool
    page: Optional[Path]


@click.command("eval", short_help="Measure a bundle or a checkpoint on labelled clips.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("folders", metavar="[DIR]...", type=click.Path(path_type=Path), nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
@click.option(
    "--html", "page", metavar="FILE", type=click.Path(path_type=Path), help="Write a page with matrix and charts, too."
)
@click.option(
    "--sources", is_flag=True, help="Several DIRs of the same classes, such as other encodings of the same clips."
)
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

    With --sources several DIRs are compared with the first: clips of the same name, how many answers changed.

    \b
    edgecvar eval attp.edgecvar data/synth/val --html page.html
    edgecvar eval attp.edgecvar --sources data/h264 data/mpeg4
    edgecvar eval runs/attp/20260101-120000 --set test.segments=25 --set test.crops=5 --set test.flip=true
    """
    source, folders, overrides = options["bundle"], options.pop("folders"), options.pop("overrides")
    _check_folders(folders, options.pop("sources"))
    output = Output(options["as_json"], options.pop("page"))
    _check_page(output.page)
    if source.suffix == ".pt" or (source / "best.pt").is_file():
        _refuse_runner_flags()
        evaluate_checkpoint(source, folders, options["match"], overrides, output)
        return
    if overrides:
        raise click.UsageError("--set is for a checkpoint; a bundle holds how it runs")
    if not folders:
        raise click.UsageError("Missing argument 'DIR': the folder that holds a folder of clips for each class")
    from edgecvar.config import from_flags
    from edgecvar.judge.evaluate import EvalConfig

    evaluate(from_flags(EvalConfig, {**options, "folder": folders[0]}), folders, output)


def _check_folders(folders: Sequence[Path], sources: bool) -> None:
    if sources and len(folders) < 2:
        raise click.UsageError(f"--sources compares two folders or more; got {len(folders)}")
    if len(folders) > 1 and not sources:
        raise click.UsageError(f"got {len(folders)} folders; to compare them add --sources")


def _check_page(page: Optional[Path]) -> None:
    """Before the clips are run, which takes long."""
    if page is None:
        return
    from edgecvar.files import check_writable

    if page.is_dir():
        raise click.UsageError(f"--html {page}: a folder; name a file")
    check_writable(page.parent, "choose another --html")


def _refuse_runner_flags() -> None:
    """A flag that says how a bundle runs would go unheard."""
    context = click.get_current_context()
    heard = ("bundle", "folders", "as_json", "page", "sources", "match", "overrides")
    for name in context.params:
        if name not in heard and context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} is for a bundle; a checkpoint runs in torch")


def evaluate_checkpoint(
    path: Path, folders: Sequence[Path], match: Optional[str], overrides: Sequence[str], output: Output
) -> None:
    """Test a checkpoint and tell; raises EdgecvarError."""
    from edgecvar.errors import need_extra
    from edgecvar.judge.evaluate import matching

    need_extra("train", "testing a checkpoint", "torch")
    from edgecvar.train.evaluate import held_out, open_checkpoint, score_checkpoint

    checkpoint, recipe = open_checkpoint(path, overrides)
    left_out: List[str] = []
    if folders:
        sources = _find(folders, checkpoint.labels, match, left_out)
    else:
        run = path if path.is_dir() else path.parent
        sources = {"the clips that validate": matching(held_out(checkpoint, recipe.data, run), match)}
    clips = [clip for each in sources.values() for clip in each]
    scores = score_checkpoint(checkpoint, recipe.views, recipe.machine, clips)
    subject: Dict[str, Any] = {"checkpoint": str(path), "left_out": left_out, "test": recipe.views.test.model_dump()}
    if not folders:
        subject["folder"] = None
    judged = Judged(str(path), checkpoint.recipe, checkpoint.labels, _scored(sources, scores))
    _tell_figures(judged, subject, output)


def evaluate(config: Any, folders: Sequence[Path], output: Output) -> None:
    """Evaluate a bundle and tell; raises EdgecvarError."""
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.judge.evaluate import score_clips
    from edgecvar.sinks.untrained import warn_untrained

    bundle = open_bundle(config.bundle)
    labels = bundle.manifest.labels
    left_out: List[str] = []
    sources = _find(folders, labels, config.match, left_out)
    untrained = warn_untrained(bundle)
    clips = [clip for each in sources.values() for clip in each]
    scored = _scored(sources, score_clips(bundle, clips, config))
    subject = {"bundle": str(bundle.path), "left_out": left_out, **({"untrained": True} if untrained else {})}
    _tell_figures(Judged(str(bundle.path), bundle.manifest.provenance.recipe, labels, scored), subject, output)
    if untrained and not output.as_json:
        say("untrained weights: the figures mean nothing")


def _find(
    folders: Sequence[Path], labels: Sequence[str], match: Optional[str], left_out: List[str]
) -> Dict[str, List[Clip]]:
    """The clips of each folder; what is left out is said, and added to `left_out`. Raises DatasetError."""
    from edgecvar.judge.evaluate import find_clips

    if len(set(folders)) < len(folders):
        raise click.UsageError("a folder is named twice: there is nothing to compare it with")
    sources = {str(folder): find_clips(folder, labels, match, left_out.append) for folder in folders}
    for line in left_out:
        say(line, err=True)
    return sources


def _scored(sources: Mapping[str, Sequence[Clip]], scores: Iterable[ClipScore]) -> List[ScoredSource]:
    """The scores of all sources' clips in a row, given back to their sources."""
    from edgecvar.judge.sources import ScoredSource
    from edgecvar.progress import tracked

    results = iter(list(tracked(scores, sum(map(len, sources.values())), "clips")))
    return [ScoredSource(name, list(islice(results, len(clips)))) for name, clips in sources.items()]


@dataclass(frozen=True)
class Judged:
    """What was tested, its recipe where that is known, its labels, and the clips' scores by source."""

    name: str
    recipe: Optional[str]
    labels: Sequence[str]
    sources: Sequence[ScoredSource]


def _tell_figures(judged: Judged, subject: Dict[str, Any], output: Output) -> None:
    """Figures where they are wanted; raises DatasetError where there are none."""
    from edgecvar.cli.report import evaluation as report
    from edgecvar.console import Console
    from edgecvar.errors import DatasetError
    from edgecvar.judge.outcomes import outcomes
    from edgecvar.judge.sources import compare_sources

    labels, sources = judged.labels, judged.sources
    rows = compare_sources(labels, sources)
    if len(sources) > 1:
        document: Dict[str, Any] = {"sources": report.sources_document(rows)}
        show = partial(report.print_sources, rows)
    else:
        found = outcomes(labels, sources[0].results)
        document = {"folder": sources[0].name, **report.outcomes_document(found)}
        show = partial(report.print_outcomes, found)
    if output.as_json:
        say_json({**document, **subject})
    else:
        show(Console())
    if output.page is not None:
        from edgecvar.cli.report.page.evaluation_page import Subject, write_evaluation_page

        write_evaluation_page(output.page, Subject(judged.name, judged.recipe), labels, sources)
        say(f"page: {output.page}", err=output.as_json)
    if not any(row.evaluation.confusion.any() for row in rows):
        undecided, unreadable = (
            sum(len(getattr(row.evaluation, kind)) for row in rows) for kind in ("undecided", "unreadable")
        )
        raise DatasetError(f"no clip was decided: {undecided} without a decision, {unreadable} could not be read")
