"""The rows of an ablation: trained by the one loop, taken up where they stopped, tested alike."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from edgecvar.errors import ConfigError, DatasetError
from edgecvar.files import check_writable
from edgecvar.nets.catalog import network_outline
from edgecvar.nets.cost.complexity import NetworkCost, describe_network
from edgecvar.train.ablation import Planned
from edgecvar.train.checkpoint import LAST, Checkpoint, load_checkpoint
from edgecvar.train.data.dataset import Clips
from edgecvar.train.data.flow import pair_of_pictures
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.repeats import check_repeats
from edgecvar.train.data.splits import Split
from edgecvar.train.evaluate import held_out, open_checkpoint, score_checkpoint
from edgecvar.train.loop import read_recipe_clips, resume_run, start_run
from edgecvar.train.losses import needs_flow, trains_network
from edgecvar.train.parts import Course, Data, Machine
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.start.checks import resolve
from edgecvar.train.start.rehearsal import Rehearsal, Rehearsals
from edgecvar.train.together.processes import planned_launch

CHANGEABLE = [key for key in Machine.document_keys() if key != "precision"]
"""What may differ between a run and the command that goes on with it: how fast it learns, not what."""


@dataclass(frozen=True)
class SeedResult:
    """One run: its best epoch, what that validated with, and of `clips` readable ones in the test those it got right.

    `unreadable` counts the others. `validation_top1` is None for a run that had nothing to validate with, `cost` where
    the network looks at optical flow, whose own would be most of it. `split`: the official one, where the rows are
    averaged over several.
    """

    seed: int
    run: Path
    epoch: int
    validation_top1: Optional[float]
    right: int
    clips: int
    unreadable: int
    cost: Optional[NetworkCost]
    split: Optional[int] = None

    @property
    def top1(self) -> float:
        return self.right / self.clips


@dataclass(frozen=True)
class RowResult:
    """A finished row: a run for each seed on each split."""

    name: str
    seeds: Tuple[SeedResult, ...]

    @property
    def top1(self) -> float:
        """The mean over splits and seeds."""
        return mean(each.top1 for each in self.seeds)

    @property
    def splits(self) -> Dict[int, float]:
        """The mean over seeds on each official split."""
        found = sorted({each.split for each in self.seeds if each.split is not None})
        return {split: mean(each.top1 for each in self.seeds if each.split == split) for split in found}

    @property
    def spread(self) -> Tuple[float, float]:
        """The lowest and the highest top-1 of its seeds, each the mean over splits."""
        seeds = {each.seed for each in self.seeds}
        figures = [mean(each.top1 for each in self.seeds if each.seed == seed) for seed in seeds]
        return min(figures), max(figures)

    @property
    def cost(self) -> Optional[NetworkCost]:
        return self.seeds[0].cost


def run_ablation(planned: Sequence[Planned], test: Optional[str], listener: Listener) -> Iterator[RowResult]:
    """Train and test every run, row by row; each row is handed over when its last run is done.

    What an earlier call left in the same folders is taken up: finished runs are only tested, others go on.
    Raises ConfigError and DatasetError, all that can be told beforehand before anything is trained.
    """
    for each in planned:
        _check(each, test)
    results: Dict[str, List[SeedResult]] = {each.row: [] for each in planned}
    shelf = _Shelf()
    for number, each in enumerate(planned, start=1):
        listener.say(f"{_called(each)}: run {number} of {len(planned)}")
        run = _train(each, listener, shelf)
        results[each.row].append(_score(each, run, test, listener))
        if number == len(planned) or planned[number].row != each.row:
            yield RowResult(each.row, tuple(results[each.row]))


def rehearse(planned: Sequence[Planned], test: Optional[str]) -> List[Rehearsal]:
    """What each run would have, nothing trained and nothing written; raises ConfigError and DatasetError."""
    rehearsals = Rehearsals()
    found = []
    for each in planned:
        data = _tested(each.recipe.data, test)
        try:
            found.append(rehearsals.of(each.recipe, data))
        except ConfigError as error:
            raise ConfigError(f"{_called(each)}: {error}") from error
        _check_testable(each, found[-1].split, rehearsals.split(data))
    return found


def find_run(root: Path) -> Optional[Path]:
    """The newest run folder ROOT/<model>/<time>/ that can be gone on with; None where there is none."""
    runs = (last.parent for last in root.glob(f"*/*/{LAST}"))
    return max((run for run in runs if not run.name.startswith(".")), default=None, key=lambda run: run.name)


def _check(planned: Planned, test: Optional[str]) -> None:
    """What would fail hours later fails now."""
    course, data = planned.recipe.course, planned.recipe.data
    split = load_split(data)
    tested = split if test is None else load_split(_tested(data, test))
    if not data.allow_repeats:
        check_repeats(tested, data.source)
    _check_testable(planned, split, tested)
    design = planned.recipe.network
    if needs_flow(course) or network_outline(design.model, design.options, design.input).sees_flow:
        pair_of_pictures(data.flow)  # OpenCV is there
    launch = planned_launch(planned.recipe.machine, os.environ)
    if launch.devices * launch.nodes > 1:
        raise ConfigError("an ablation is trained by one process, row by row; leave devices and nodes out")
    check_writable(planned.root)
    run = find_run(planned.root)
    if run is not None:
        _check_same(planned, load_checkpoint(run / LAST), run)


def _check_testable(planned: Planned, split: Split, tested: Split) -> None:
    """Raises ConfigError for a run without a network to test, DatasetError for clips that cannot test it."""
    course, source = planned.recipe.course, planned.recipe.data.source
    if not any(trains_network(course.phase(epoch)) for epoch in range(1, course.epochs + 1)):
        raise ConfigError(f"row {planned.row!r} trains a teacher alone, so it has no network to test")
    if not tested.validation:
        raise DatasetError(f"{source}: no clip validates, so none can test; name clips with `test` in the file")
    if sorted(tested.labels) != sorted(split.labels):
        counts = f"{len(tested.labels)} classes, not the {len(split.labels)} of its official lists"
        raise DatasetError(f"{source}: holds {counts}, so `test` cannot tell them apart; leave `test` out")


def _check_same(planned: Planned, last: Checkpoint, run: Path) -> None:
    # Resolved anew: an option that the network has got since stands at its default in what was trained before it.
    before = resolve(parse_recipe(last.recipe, (), str(run))).document()
    now = planned.recipe.document()
    differing = [key for key in now if now[key] != before[key] and key not in CHANGEABLE]
    if differing:
        raise ConfigError(
            f"{run}: row {planned.row!r} was trained here with another {', '.join(differing)}; "
            "give another folder with -o, or remove this one"
        )


class _Shelf:
    """The clips that a run has read, for the next one where it asks for no more of the same."""

    def __init__(self) -> None:
        self._key: Any = None
        self._clips: Optional[Clips] = None

    def __call__(self, recipe: Recipe, listener: Listener) -> Clips:
        network, course = recipe.network, recipe.course
        outline = network_outline(network.model, network.options, network.input)
        flow = needs_flow(course), outline.sees_flow
        key = (recipe.data, network.input, recipe.views.augment.reencode, flow, recipe.machine.cache_gib)
        sources = outline.prepared_inputs()
        if self._clips is None or key != self._key or not sources <= set(self._clips.sources):
            self._clips = None  # two rows' clips at a time may be more than memory holds
            self._key, self._clips = key, read_recipe_clips(recipe, listener)
        return replace(self._clips, sources=sources)


def _train(planned: Planned, listener: Listener, shelf: _Shelf) -> Path:
    """The run's folder; it is begun, gone on with, or there."""
    run = find_run(planned.root)
    if run is None:
        training = start_run(planned.recipe, planned.root, listener, shelf)
    elif _is_trained(run, planned.recipe.course):
        listener.say(f"already trained: {run}")
        return run
    else:
        machine = planned.recipe.machine.model_dump(mode="json")
        training = resume_run(run, [f"{key}={json.dumps(value)}" for key, value in machine.items()], listener, shelf)
    listener.say(f"run folder {training.folder}, {training.epoch} of {planned.recipe.course.epochs} epochs done")
    training.fit()
    return training.folder


def _score(planned: Planned, run: Path, test: Optional[str], listener: Listener) -> SeedResult:
    """Test the run's best epoch by the recipe's protocol; raises DatasetError where no clip can be read."""
    checkpoint, recipe = open_checkpoint(run)
    data = _tested(recipe.data, test)
    clips = held_out(checkpoint, data)
    right, readable = 0, 0
    with listener.phase("test", len(clips)):
        for each in score_checkpoint(checkpoint, recipe.views, planned.recipe.machine, clips, data):
            listener.step()
            if each.scores is None:
                listener.say(f"left out of the test: {each.error}")
                continue
            readable += 1
            right += checkpoint.labels[int(each.scores.argmax())] == each.clip.label
    if not readable:
        raise DatasetError(f"{test or data.source}: none of the {len(clips)} clips that test can be read")
    best = (load_checkpoint(run / LAST).training or {}).get("best") or {}
    network = checkpoint.build()
    listener.say(f"{_called(planned)}: {right} of {readable} clips right")
    return SeedResult(
        seed=planned.recipe.views.seed,
        run=run,
        epoch=int(best.get("epoch", 0)),
        validation_top1=best.get("validation_top1"),
        right=right,
        clips=readable,
        unreadable=len(clips) - readable,
        cost=None if network.sees_flow else describe_network(network, checkpoint.input.gop_length),
        split=planned.split,
    )


def _called(planned: Planned) -> str:
    """A run as it is spoken of."""
    split = "" if planned.split is None else f", split {planned.split}"
    return f"{planned.row}{split}, seed {planned.recipe.views.seed}"


def _tested(data: Data, test: Optional[str]) -> Data:
    """The data with the clips that test as those that validate."""
    if test is None:
        return data
    others = ("validation_pattern", "split", "split_by", "validation_fraction")
    return data.model_copy(update={"validation": test, **dict.fromkeys(others)})


def _is_trained(run: Path, course: Course) -> bool:
    training = load_checkpoint(run / LAST).training or {}
    epoch, best = int(training.get("epoch", 0)), training.get("best")
    return epoch >= course.epochs or (best is not None and course.is_settled(epoch, int(best["epoch"])))
