"""`edgecvar eval`: how often a bundle, or a checkpoint as papers test it, is right on labelled clips."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Sequence

import click

from edgecvar.cli.flags import every_flag, exits_flag, runner_flags, trust_flag
from edgecvar.terminal import say, say_json

if TYPE_CHECKING:
    from edgecvar.bundle.exits import ExitShares
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
@click.option("--thresholds", is_flag=True, help="Find thresholds for `run --event-file`, one a label.")
@click.option(
    "--false-alarms-per-hour",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="N",
    help="With --thresholds: at most so many of each label.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write them into this YAML file.")
@trust_flag
@every_flag
@exits_flag
@click.option("--jobs", type=int, metavar="N", help="Processes; as many as there are cores unless given.")
@click.option("--ray", metavar="ADDRESS", help="Run the clips on a Ray cluster: auto, local, HOST:PORT, ray://...")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of a checkpoint: a key of its recipe.")
@runner_flags
def command(**options: Any) -> None:
    """Run BUNDLE on every clip of DIR/<label>/ and count: top-1, each class, confusions, clips that cannot be read.

    A clip's answer is the mean of the scores of all its sampled pictures.

    BUNDLE may be a run folder or its best.pt instead: torch then tests as the recipe's `test` says, with so many
    segments, clips, crops and mirror images, on DIR or, without it, on the clips that validate in the recipe.

    With --sources several DIRs are compared with the first: clips of the same name, how many answers changed.

    With --thresholds each clip is run as a stream, and for each label the `on` and `off` of its events are chosen by
    what clips of other labels give. A run is compiled for that, into a bundle that is thrown away.

    \b
    edgecvar eval attp.edgecvar data/synth/val --html page.html
    edgecvar eval attp.edgecvar --sources data/h264 data/mpeg4
    edgecvar eval attp.edgecvar data/synth/val --thresholds -o events.yaml
    edgecvar eval runs/attp/20260101-120000 --set test.segments=25 --set test.crops=5 --set test.flip=true
    """
    source, folders, overrides = options["bundle"], options.pop("folders"), options.pop("overrides")
    _check_folders(folders, options.pop("sources"))
    output = Output(options["as_json"], options.pop("page"))
    _check_page(output.page)
    asked = Asked(options.pop("false_alarms_per_hour"), options.pop("output"))
    thresholds = options.pop("thresholds")
    if asked.file is not None and not thresholds:
        raise click.UsageError("-o: the file of --thresholds, which is not asked for")
    if thresholds:
        if len(folders) > 1 or output.page is not None:
            raise click.UsageError("--thresholds takes one DIR, and writes no page")
        find_event_thresholds(folders, overrides, options, asked)
        return
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


@dataclass(frozen=True)
class Asked:
    """Of thresholds: false alarms an hour of each label, and the file that they go into."""

    per_hour: float
    file: Optional[Path]


def find_event_thresholds(
    folders: Sequence[Path], overrides: Sequence[str], options: Dict[str, Any], asked: Asked
) -> None:
    """Run the clips that validate as streams, choose and tell; raises EdgecvarError."""
    from tempfile import TemporaryDirectory

    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.cli.report import evaluation as report
    from edgecvar.config import from_flags
    from edgecvar.console import Console
    from edgecvar.judge.evaluate import EvalConfig, matching, score_clips
    from edgecvar.judge.thresholds import find_thresholds
    from edgecvar.progress import tracked
    from edgecvar.run.event_settings import EventSettings, write_event_settings
    from edgecvar.sinks.untrained import warn_untrained

    source = options["bundle"]
    left_out: List[str] = []
    with TemporaryDirectory(prefix="edgecvar-") as scratch:
        checkpoint = source.suffix == ".pt" or (source / "best.pt").is_file()
        bundle = open_bundle(_compiled(source, Path(scratch))) if checkpoint else open_bundle(source, options["trust"])
        if folders:
            clips = _find(folders, bundle.manifest.labels, options["match"], left_out)[str(folders[0])]
        elif checkpoint:
            clips = matching(_held_out(source, overrides), options["match"])
        else:
            raise click.UsageError("Missing argument 'DIR': the folder that holds a folder of clips for each class")
        warn_untrained(bundle)
        config = from_flags(EvalConfig, {**options, "bundle": bundle.path, "folder": clips[0].path, "traced": True})
        results = list(tracked(score_clips(bundle, clips, config), len(clips), "clips"))
        found = find_thresholds(bundle.manifest.labels, results, EventSettings(), asked.per_hour)
    if asked.file is not None:
        write_event_settings(asked.file, found.settings, [f"of {source}", *report.threshold_lines(found)])
    if options["as_json"]:
        say_json({"bundle": str(source), "left_out": left_out, "thresholds": report.thresholds_document(found)})
    else:
        report.print_thresholds(found, Console())
    if asked.file is not None:
        say(f"thresholds: {asked.file}", err=options["as_json"])


def _compiled(checkpoint: Path, scratch: Path) -> Path:
    """A bundle of a checkpoint, in fp32, in a folder that goes."""
    from edgecvar.errors import need_extra

    need_extra("train", "compiling a checkpoint", "torch", "onnx", "onnxscript")
    from edgecvar.compile.bundle import compile_bundle
    from edgecvar.compile.config import CompileConfig
    from edgecvar.compile.plan import plan_compilation

    file = checkpoint / "best.pt" if checkpoint.is_dir() else checkpoint
    fields = {"checkpoint": file, "output": scratch / "scratch.edgecvar", "precision": frozenset(["fp32"])}
    return compile_bundle(plan_compilation(CompileConfig.model_validate(fields))).bundle.path


def _held_out(path: Path, overrides: Sequence[str]) -> List[Clip]:
    from edgecvar.train.evaluate import held_out, open_checkpoint

    checkpoint, recipe = open_checkpoint(path, overrides)
    return held_out(checkpoint, recipe.data, path if path.is_dir() else path.parent)


def _refuse_runner_flags() -> None:
    """A flag that says how a bundle runs would go unheard."""
    context = click.get_current_context()
    heard = ("bundle", "folders", "as_json", "page", "sources", "match", "overrides", "false_alarms_per_hour")
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
    scores = score_checkpoint(checkpoint, recipe.views, recipe.machine, clips, recipe.data)
    subject: Dict[str, Any] = {"checkpoint": str(path), "left_out": left_out, "test": recipe.views.test.model_dump()}
    if not folders:
        subject["folder"] = None
    judged = Judged(str(path), checkpoint.recipe, checkpoint.labels, _scored(sources, scores))
    _tell_figures(judged, subject, output)


def evaluate(config: Any, folders: Sequence[Path], output: Output) -> None:
    """Evaluate a bundle and tell; raises EdgecvarError."""
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.cli.report.bundle.exits import exit_lines
    from edgecvar.judge.evaluate import exit_shares, score_clips
    from edgecvar.sinks.untrained import warn_untrained

    bundle = open_bundle(config.bundle, config.trust)
    labels = bundle.manifest.labels
    left_out: List[str] = []
    sources = _find(folders, labels, config.match, left_out)
    untrained = warn_untrained(bundle)
    clips = [clip for each in sources.values() for clip in each]
    scored = _scored(sources, score_clips(bundle, clips, config))
    subject = {"bundle": str(bundle.path), "left_out": left_out, **({"untrained": True} if untrained else {})}
    exits = exit_shares(bundle, [result for source in scored for result in source.results])
    if exits is not None:
        subject["exits"] = exits.model_dump()
    _tell_figures(Judged(str(bundle.path), bundle.manifest.provenance.recipe, labels, scored, exits), subject, output)
    if exits is not None and not output.as_json:
        for line in exit_lines(exits, bundle.manifest.exits):
            say(line)
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
    """What was tested, its recipe where that is known, its labels, and the clips' scores by source.

    `exits`: of a bundle, where pictures left it early.
    """

    name: str
    recipe: Optional[str]
    labels: Sequence[str]
    sources: Sequence[ScoredSource]
    exits: Optional[ExitShares] = None


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

        write_evaluation_page(output.page, Subject(judged.name, judged.recipe, judged.exits), labels, sources)
        say(f"page: {output.page}", err=output.as_json)
    if not any(row.evaluation.confusion.any() for row in rows):
        undecided, unreadable = (
            sum(len(getattr(row.evaluation, kind)) for row in rows) for kind in ("undecided", "unreadable")
        )
        raise DatasetError(f"no clip was decided: {undecided} without a decision, {unreadable} could not be read")
