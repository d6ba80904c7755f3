"""A runner beside a reference: stage by stage on the reference's own inputs, and end to end on its own."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from edgecvar.bundle.plan import plan_stages
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.clock import NoClock
from edgecvar.clips.messages import SampledPicture
from edgecvar.clips.samples import clip_starts
from edgecvar.judge.comparison import Array, Comparison, Decisions, compare, compare_decisions, compare_stages
from edgecvar.run.walk import StageWalk
from edgecvar.runners.runner import Runner, as_array, fetched, in_rows, run_stage


@dataclass
class RecordingRunner:
    """A runner, and what went through each of its stages."""

    runner: Runner
    name: str = "recorder"
    inputs: Dict[str, List[Dict[str, Array]]] = field(default_factory=dict)
    outputs: Dict[str, List[Array]] = field(default_factory=dict)
    milliseconds: Dict[str, List[float]] = field(default_factory=dict)

    def __enter__(self) -> RecordingRunner:
        self.runner.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.runner.__exit__(*exc)

    def launch(self, stage: str, inputs: Mapping[str, Array]) -> Any:
        arrays = {name: as_array(value) for name, value in inputs.items()}
        start = time.perf_counter()
        output = fetched(self.runner, self.runner.launch(stage, arrays))
        self.milliseconds.setdefault(stage, []).append((time.perf_counter() - start) * 1e3)
        self.inputs.setdefault(stage, []).append(arrays)
        self.outputs.setdefault(stage, []).append(in_rows(output))
        return output

    def fetch(self, value: Array) -> Array:
        return value


@dataclass(frozen=True)
class Recording:
    """What a reference made of the samples: by stage its inputs, outputs and times, and the scores (N, classes).

    An output is as `run_stage` has it: with state all that the stage gives, side by side; `widths`: values of each.
    """

    runner: str
    inputs: Dict[str, List[Dict[str, Array]]]
    outputs: Dict[str, List[Array]]
    milliseconds: Dict[str, List[float]]
    scores: Array
    widths: Dict[str, List[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class StageRun:
    """One stage beside the reference's, fed with what the reference's stage was fed with, and its median time."""

    stage: str
    comparison: Comparison
    median_ms: float


@dataclass(frozen=True)
class WholeRun:
    """Whole walks beside the reference's: every stage fed with what this runner's own stages gave."""

    comparison: Comparison
    decisions: Decisions


def record(runner: Runner, stages: Sequence[StageSpec], samples: Sequence[SampledPicture]) -> Recording:
    """Walk the stages of an entered runner over all samples, as the recognizer does, and keep what goes through."""
    recorder = RecordingRunner(runner)
    scores = walk_all(recorder, stages, samples)
    widths = {each.name: [math.prod(shape) for shape in each.gives.values()] for each in stages if each.state}
    return Recording(runner.name, recorder.inputs, recorder.outputs, recorder.milliseconds, scores, widths)


def walk_all(runner: Runner, stages: Sequence[StageSpec], samples: Sequence[SampledPicture]) -> Array:
    """The scores (N, classes) of all samples, the stages of an entered runner walked as the recognizer does."""
    plan = plan_stages(stages)
    starts = clip_starts(samples)
    clips = [[place for place, start in enumerate(starts) if start == each] for each in dict.fromkeys(starts)]
    scores: Dict[int, Array] = {}
    for places in clips:
        walk = StageWalk(plan, runner, NoClock())
        finished = ((place, walk.finish(walk.start(samples[place]), samples[place].neighbour)) for place in places)
        in_turn = sorted(finished, key=lambda each: samples[each[0]].display_index) if plan.in_order else finished
        scores.update((place, walk.scores(each)) for place, each in in_turn)
    return np.stack([scores[place] for place in range(len(samples))])


def compare_stage(stage: str, reference: Recording, runner: Runner, batch: int = 1) -> StageRun:
    """Run one stage of an entered runner on what the reference recorded, `batch` of its launches as one.

    Raises BundleError for another shape.
    """
    outputs: List[Array] = []
    spent: List[float] = []
    recorded = reference.inputs[stage]
    for first in range(0, len(recorded), batch):
        together = recorded[first : first + batch]
        inputs = {name: np.concatenate([each[name] for each in together]) for name in together[0]}
        start = time.perf_counter()
        given = run_stage(runner, stage, inputs)
        spent.append((time.perf_counter() - start) * 1e3 / len(together))
        outputs += [given] if len(together) == 1 else [given[row : row + 1] for row in range(len(together))]
    where, expected = f"stage {stage}: {runner.name}", reference.outputs[stage]
    return StageRun(stage, compare_stages(where, outputs, expected, reference.widths.get(stage)), median_ms(spent))


def compare_whole(
    runner: Runner, stages: Sequence[StageSpec], samples: Sequence[SampledPicture], reference: Recording, tie: float
) -> WholeRun:
    """Walk all samples with an entered runner; `tie`: see Tolerance."""
    scores = walk_all(runner, stages, samples)
    comparison = compare(f"scores: {runner.name}", list(scores), list(reference.scores))
    return WholeRun(comparison, compare_decisions(scores, reference.scores, tie))


def median_ms(spent: Sequence[float]) -> float:
    """The median of times, the first one left out: an engine allocates in its first run."""
    return float(np.median(spent[1:] or spent))
