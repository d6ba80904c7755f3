"""Walks the stages of a manifest: each once a window or once a sampled picture, whatever the network."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Deque, Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.plan import PlannedInput, PlannedStage, StagePlan
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.clock import Clock
from edgecvar.clips.messages import SampledPicture
from edgecvar.runners.runner import History, Runner, as_array

Outputs = Dict[str, Any]
"""By stage, what the runner's launch gave; of the last stage, the fetched scores (1, classes)."""


@dataclass(frozen=True)
class Started:
    """A sampled picture and the outputs of those of its stages that need no neighbour."""

    sampled: SampledPicture
    outputs: Outputs


class StageWalk:
    """Runs the planned stages; the outputs of an I-picture are kept until the walk has passed it.

    Samples are started, and finished, in decode order, and are all of one stream, between two breaks of it: inputs with
    `segments` are what the newest of them had. Only the scores are fetched; other stages may still be computing when
    their span has ended.
    """

    def __init__(self, plan: StagePlan, runner: Runner, clock: Clock) -> None:
        self._last = plan.stages[-1].spec
        self._of_window = [stage for stage in plan.stages if stage.spec.cadence == "gop"]
        pictures = [stage for stage in plan.stages if stage.spec.cadence == "picture"]
        self._at_once = [stage for stage in pictures if not stage.waits]
        self._waiting = [stage for stage in pictures if stage.waits]
        self._runner = runner
        self._clock = clock
        self._features: Dict[int, Outputs] = {}
        self._newest: Dict[Tuple[str, str], Deque[Tuple[int, Any]]] = {}

    def reopen(self) -> None:
        """Let go of all that was kept: what comes has nothing to do with it."""
        self._features.clear()
        self._newest.clear()

    def start(self, sampled: SampledPicture) -> Started:
        """Run what can be run before the neighbour is known; of the inputs, only those still needed are kept."""
        self._window_outputs(sampled.current)
        outputs: Outputs = {}
        for stage in self._at_once:
            outputs[stage.spec.name] = self._run(stage, sampled, outputs, sampled.current)
        later = {each.tensor.source for stage in self._waiting for each in stage.inputs if not each.from_stage}
        needed = {source: value for source, value in sampled.inputs.items() if source in later}
        return Started(replace(sampled, inputs=needed), outputs)

    def finish(self, started: Started, adjacent: Appearance) -> NDArray[np.float32]:
        """Run the rest; the scores (classes,) of the last stage."""
        sampled, outputs = started.sampled, dict(started.outputs)
        for stage in self._waiting:
            outputs[stage.spec.name] = self._run(stage, sampled, outputs, adjacent)
        last = outputs if self._last.cadence == "picture" else self._window_outputs(sampled.current)
        for index in set(self._features) - {sampled.current.index, adjacent.index}:
            del self._features[index]
        scores: NDArray[np.float32] = last[self._last.name][0]
        return scores

    def first_not_finite(self, started: Started, adjacent: Appearance) -> str:
        """The stage whose output for a finished picture was the first to have NaN or infinity; the last if in doubt."""
        appearances = (started.sampled.current, adjacent)
        known = [*(self._features.get(each.index, {}) for each in appearances), started.outputs]
        for name, value in (pair for outputs in known for pair in outputs.items()):
            if not np.isfinite(self._runner.fetch(value)).all():
                return name
        return self._last.name

    def _window_outputs(self, appearance: Appearance) -> Outputs:
        """The window stages' outputs of an I-picture, run once however often they are asked for."""
        if appearance.index not in self._features:
            outputs: Outputs = {}
            for stage in self._of_window:
                tensors = [
                    outputs[each.tensor.source] if each.from_stage else appearance.prepared[None]
                    for each in stage.inputs
                ]
                outputs[stage.spec.name] = self._launch(stage.spec, tensors)
            self._features[appearance.index] = outputs
        return self._features[appearance.index]

    def _run(self, stage: PlannedStage, sampled: SampledPicture, outputs: Outputs, adjacent: Appearance) -> Any:
        tensors: List[Any] = []
        for each in stage.inputs:
            source = each.tensor.source
            appearance = adjacent if each.tensor.gop == "adjacent" else sampled.current
            if each.from_stage:
                value = outputs[source] if source in outputs else self._window_outputs(appearance)[source]
            else:
                value = appearance.prepared[None] if source == "image" else sampled.inputs[source][None]
            tensors.append(self._history(stage, each, sampled, value))
        return self._launch(stage.spec, tensors)

    def _history(self, stage: PlannedStage, each: PlannedInput, sampled: SampledPicture, value: Any) -> Any:
        """The input as the stage takes it: `value`, or with `segments` the newest of them in display order."""
        segments = each.tensor.segments
        if segments is None:
            return value
        newest = self._newest.setdefault((stage.spec.name, each.tensor.name), deque(maxlen=segments))
        newest.append((sampled.display_index, value))
        clip = [one for _, one in sorted(newest, key=itemgetter(0))]
        history = History((*[clip[0]] * (segments - len(clip)), *clip))
        return history if each.from_stage else as_array(history)

    def _launch(self, spec: StageSpec, tensors: Sequence[Any]) -> Any:
        inputs = {tensor.name: value for tensor, value in zip(spec.inputs, tensors)}
        with self._clock.span(f"stage:{spec.name}"):
            launched = self._runner.launch(spec.name, inputs)
            return self._runner.fetch(launched) if spec is self._last else launched
