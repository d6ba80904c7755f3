"""A training run's page: its best checkpoint judged on the clips that validate."""

from __future__ import annotations

import time
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, Optional, Sequence, Tuple

from edgecvar.bundle.manifest import Manifest, Provenance
from edgecvar.cli.report.page.charts import Curve
from edgecvar.cli.report.page.outcome_facts import environment, outcome_facts, shown_clips, soon_fact
from edgecvar.cli.report.page.page import write_page
from edgecvar.cli.report.page.report import Curves, Fact, Report, ShownClip, Split, SplitRow, Timing
from edgecvar.clips.labelled import Clip, ClipScore
from edgecvar.clips.samples import spread
from edgecvar.errors import EdgecvarError, reason
from edgecvar.judge.advice import Standing, advise
from edgecvar.judge.evaluate import score_clip, tally
from edgecvar.judge.outcomes import Outcomes, accuracy_over_time, outcomes
from edgecvar.runners.torch import TorchRunner
from edgecvar.train.augment.settings import Augment
from edgecvar.train.checkpoint import BEST, Checkpoint, load_checkpoint
from edgecvar.train.data.dataset import Clips
from edgecvar.train.evaluate import validation_scores
from edgecvar.train.history import EpochRecord, read_records
from edgecvar.train.loop import Training
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe

PAGE = "report.html"
STREAMED, STREAMED_SECONDS = 200, 60.0
"""Clips that are run as streams at most, and how long that may take: picture by picture on a CPU is slow."""


def page_of_run(training: Training, listener: Listener) -> Optional[Path]:
    """RUN/report.html, its advice said too; None where nothing is best.

    The run stands without it: what prevents it is said, an interrupt too.
    """
    if training.best is None:
        return None
    try:
        return write_run_page(training, listener)
    except (EdgecvarError, OSError, RuntimeError) as error:
        listener.say(f"no page of this run: {reason(error)}")
    except KeyboardInterrupt:
        listener.say("no page of this run: interrupted")
    return None


def write_run_page(training: Training, listener: Listener) -> Path:
    """RUN/report.html of a run with a best.pt; raises EdgecvarError where clips, checkpoint or page fail."""
    recipe, clips = training.recipe, training.clips
    checkpoint = load_checkpoint(training.folder / BEST)
    judged = _judge(checkpoint, recipe, clips, listener)
    found = outcomes(clips.labels, judged) if judged else None
    timing = _time(checkpoint, clips, listener)
    records = read_records(training.folder)
    best = training.best or records[-1]
    advice = advise(_standing(training, records, found))
    for line in advice:
        listener.say(line)
    report = Report(
        title=f"{recipe.network.model} on {recipe.data.source}",
        facts=_facts(records, best, found, timing),
        advice=advice,
        curves=_curves(records, best, clips.chance),
        outcomes=found,
        outcomes_of=f"The {len(clips.validation)} clips that validate, by best.pt (epoch {best.epoch})",
        timing=timing,
        hardest=_draw(found, listener),
        split=_split(recipe, clips),
        recipe=checkpoint.recipe,
        environment=environment(),
    )
    write_page(training.folder / PAGE, report)
    return training.folder / PAGE


def _judge(checkpoint: Checkpoint, recipe: Recipe, clips: Clips, listener: Listener) -> List[ClipScore]:
    """The scores of the clips that validate, perhaps none."""
    results: List[ClipScore] = []
    if clips.validation:
        with listener.phase("page: scores", len(clips.validation)):
            for result in validation_scores(checkpoint.build(), recipe, clips):
                results.append(result)
                listener.step()
    return results


def _time(checkpoint: Checkpoint, clips: Clips, listener: Listener) -> Optional[Timing]:
    """The clips run as a bundle would run them, as many as there is time for; None where none can be."""
    if not clips.validation or clips.sees_flow:
        return None
    chosen = in_turn(spread(clips.validation, STREAMED))
    results: List[ClipScore] = []
    with listener.phase("page: over time", len(chosen)):
        for result in streamed_scores(checkpoint, chosen):
            results.append(result)
            listener.step()
    share = f"{len(results)} of the {len(clips.validation)}" if len(results) < len(clips.validation) else "all"
    note = (
        f"Top-1 of a clip's running answer, the mean of its scores so far; {share} clips that validate, run picture by "
        "picture as a bundle runs them. A clip that is over keeps its last answer."
    )
    return Timing(accuracy_over_time(clips.labels, results), note, tally(clips.labels, results).chance)


def streamed_scores(checkpoint: Checkpoint, clips: Sequence[Clip]) -> Iterator[ClipScore]:
    """Each clip through the stages in torch, on the CPU; no further one begins after STREAMED_SECONDS."""
    network = checkpoint.build()
    manifest = Manifest(
        labels=checkpoint.labels,
        input=checkpoint.input,
        stages=network.stages(),
        files=[],
        provenance=Provenance(model=checkpoint.model),
    )
    began = time.monotonic()
    with TorchRunner(network) as runner:
        for clip in clips:
            if time.monotonic() - began > STREAMED_SECONDS:
                return
            yield score_clip(clip, manifest, runner, None)


def in_turn(clips: Sequence[Clip]) -> List[Clip]:
    """A clip of each class, then the next of each: wherever it is cut, classes are there alike."""
    classes: Dict[str, List[Clip]] = {}
    for clip in clips:
        classes.setdefault(clip.label, []).append(clip)
    return [clip for row in zip_longest(*classes.values()) for clip in row if clip is not None]


def _draw(found: Optional[Outcomes], listener: Listener) -> List[ShownClip]:
    """The hardest clips with their pictures."""
    hardest = () if found is None else found.hardest
    shown: List[ShownClip] = []
    with listener.phase("page: pictures", len(hardest)):
        for clip in shown_clips(hardest):
            shown.append(clip)
            listener.step()
    return shown


def _facts(
    records: Sequence[EpochRecord], best: EpochRecord, found: Optional[Outcomes], timing: Optional[Timing]
) -> List[Fact]:
    facts = [] if found is None else outcome_facts(found)
    soon = soon_fact(timing)
    if soon is not None:
        facts.append(soon)
    if best.train_top1 is not None:
        facts.append(Fact("top-1 in training", f"{best.train_top1:.1%}", f"of {best.clips} clips, in the best epoch"))
    minutes = sum(record.seconds for record in records) / 60
    facts.append(Fact("best epoch", f"{best.epoch}", f"of {len(records)}, in {minutes:.1f} minutes"))
    return facts


def _standing(training: Training, records: Sequence[EpochRecord], found: Optional[Outcomes]) -> Standing:
    recipe, clips = training.recipe, training.clips
    counts = Counter(clip.label for clip in clips.train)
    judged = [record.train_top1 for record in records if record.train_top1 is not None]
    return Standing(
        epochs=recipe.course.epochs,
        best_epoch=records[-1].epoch if training.best is None else training.best.epoch,
        train_top1=judged[-1] if judged else None,
        validation_top1=None if found is None else found.evaluation.top1,
        train_clips={label: counts[label] for label in clips.labels},
        unreadable=len(clips.report.unreadable),
        mirrored=_own_mirror_images(recipe.views.augment, clips.labels),
        outcomes=found,
    )


def _own_mirror_images(augment: Augment, labels: Sequence[str]) -> FrozenSet[str]:
    """The classes whose clips are mirrored and keep their label."""
    named = {label for pair in augment.mirror for label in pair} | set(augment.mirror_never)
    return frozenset(set(labels) - named if augment.flip else ())


def _curves(records: Sequence[EpochRecord], best: EpochRecord, chance: float) -> Curves:
    def curve(part: str, what: str) -> Curve:
        values = [(record.epoch, getattr(record, f"{part}_{what}")) for record in records]
        return Curve(part, [(float(epoch), value) for epoch, value in values if value is not None])

    loss, top1 = ([curve(part, what) for part in ("train", "validation")] for what in ("loss", "top1"))
    return Curves(loss, top1, best.epoch, chance)


def _split(recipe: Recipe, clips: Clips) -> Split:
    train, validation = (Counter(clip.label for clip in part) for part in (clips.train, clips.validation))
    return Split(
        rows=[SplitRow(label, train[label], validation[label]) for label in clips.labels],
        how=_data_keys(recipe),
        validation=[f"{clip.label}/{clip.path.name}" for clip in clips.validation],
    )


def _data_keys(recipe: Recipe) -> List[Tuple[str, str]]:
    """What the recipe says of its clips, where it says anything."""
    document = recipe.data.model_dump(mode="json", by_alias=True, exclude={"flow"})
    return [(key, str(value)) for key, value in document.items() if value not in (None, False)]
