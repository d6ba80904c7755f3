"""Walks the stages of a manifest: each once a window or once a sampled picture, whatever the network."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Deque, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.exits import ExitRule
from edgecvar.bundle.plan import PlannedInput, PlannedStage, StagePlan
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.clock import Clock
from edgecvar.clips.messages import SampledPicture
from edgecvar.run.exits import Exits, Left
from edgecvar.runners.runner import History, Runner, Step, as_array

Outputs = Dict[str, Any]
"""By stage, what the runner's launch gave; of the last stage, the fetched scores (1, classes)."""


@dataclass(frozen=True)
class Started:
    """A sampled picture and the outputs of those of its stages that need no neighbour; `left` where it left early."""

    sampled: SampledPicture
    outputs: Outputs
    left: Optional[Left] = None


@dataclass(frozen=True)
class Finished:
    """A sampled picture and the outputs of its stages, but for those that must see the pictures in display order.

    `windows`: those of the window stages, by I-picture.
    """

    sampled: SampledPicture
    adjacent: Appearance
    outputs: Outputs
    windows: Mapping[int, Outputs]
    left: Optional[Left] = None


class StageWalk:
    """Runs the planned stages; the outputs of an I-picture are kept until the walk has passed it.

    Samples are started, and finished, in decode order, and are all of one stream, between two breaks of it: inputs with
    `segments` are what the newest of them had. Their scores are asked for in display order, which is when stages with
    state run, and may be asked for across breaks. Only the scores are fetched; other stages may still be computing when
    their span has ended.

    With `rules` a picture leaves at the first exit that is sure of it, and the stages behind are not run for it; those
    of a window then wait for a picture that needs them.
    """

    def __init__(self, plan: StagePlan, runner: Runner, clock: Clock, rules: Sequence[ExitRule] = ()) -> None:
        self._last = plan.stages[-1].spec
        self._of_window = [stage for stage in plan.stages if stage.spec.cadence == "gop"]
        pictures = [stage for stage in plan.stages if stage.spec.cadence == "picture"]
        self._in_order = [stage for stage in pictures if stage.in_order]
        self._at_once = [stage for stage in pictures if not (stage.waits or stage.in_order)]
        self._waiting = [stage for stage in pictures if stage.waits and not stage.in_order]
        self._beside = plan.adjacent
        self._runner = runner
        self._clock = clock
        self._features: Dict[int, Outputs] = {}
        self._newest = _Newest()
        self._memory = _Memory(self._in_order)
        self.exits = Exits(rules, [stage.spec for stage in plan.stages], runner)

    def reopen(self) -> None:
        """The stream breaks: what is started from here on has nothing to do with what was."""
        self._features.clear()
        self._newest.clear()
        self.exits.reopen()

    def let_go(self) -> None:
        """The run is over: what the runner has been holding for it is free."""
        self.reopen()
        self._memory.forget()

    @property
    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage, what the next picture whose scores are asked for begins with; empty where no stage has a state."""
        return self._memory.all

    def start(self, sampled: SampledPicture) -> Started:
        """Run what can be run before the neighbour is known; of the inputs, only those still needed are kept."""
        if self.exits:
            self.exits.entered(sampled.current.index)
        else:
            self._window_outputs(sampled.current)
        outputs: Outputs = {}
        for stage in self._at_once:
            name = stage.spec.name
            outputs[name] = self._run(stage, sampled, outputs, sampled.current)
            left = self.exits.leaving(name, outputs[name])
            if left is not None:
                return Started(_keeping(sampled, []), {}, left)
        self.exits.stayed()
        return Started(_keeping(sampled, [*self._waiting, *self._in_order]), outputs)

    def finish(self, started: Started, adjacent: Appearance) -> Finished:
        """Run the rest that may be run in decode order."""
        sampled, outputs = started.sampled, dict(started.outputs)
        for stage in self._waiting if started.left is None else ():
            outputs[stage.spec.name] = self._run(stage, sampled, outputs, adjacent)
        near = (sampled.current, adjacent) if self._beside else (sampled.current,)
        needed = [each for each in near if not self.exits or each.index in self._features]
        windows = {each.index: self._window_outputs(each) for each in needed}
        for index in set(self._features) - {each.index for each in near}:
            del self._features[index]
        return Finished(_keeping(sampled, self._in_order), adjacent, outputs, windows, started.left)

    def scores(self, finished: Finished) -> NDArray[np.float32]:
        """Run what sees the pictures in display order; the scores (classes,) of the last stage, or of the exit."""
        if finished.left is not None:
            return finished.left.scores
        sampled, outputs = finished.sampled, finished.outputs
        self._memory.reach(sampled.part)
        for stage in self._in_order:
            outputs[stage.spec.name] = self._run(stage, sampled, outputs, finished.adjacent, finished.windows)
        last = outputs if self._last.cadence == "picture" else finished.windows[sampled.current.index]
        scores: NDArray[np.float32] = last[self._last.name][0]
        return scores

    def first_not_finite(self, finished: Finished) -> str:
        """The stage whose output for a picture was the first to have NaN or infinity; the last if in doubt."""
        known = [*finished.windows.values(), finished.outputs]
        for name, value in (pair for outputs in known for pair in outputs.items()):
            if name != self._last.name and not np.isfinite(self._runner.fetch(value)).all():
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
                outputs[stage.spec.name] = self._launch(stage.spec, tensors, appearance.index)
            self._features[appearance.index] = outputs
        return self._features[appearance.index]

    def _run(
        self,
        stage: PlannedStage,
        sampled: SampledPicture,
        outputs: Outputs,
        adjacent: Appearance,
        windows: Optional[Mapping[int, Outputs]] = None,
    ) -> Any:
        tensors: List[Any] = []
        for each in stage.inputs:
            source = each.tensor.source
            appearance = adjacent if each.tensor.gop == "adjacent" else sampled.current
            if each.from_stage and source in outputs:
                value = outputs[source]
            elif each.from_stage:
                value = (self._window_outputs(appearance) if windows is None else windows[appearance.index])[source]
            else:
                value = appearance.prepared[None] if source == "image" else sampled.inputs[source][None]
            tensors.append(self._newest.history(stage, each, sampled, value))
        return self._launch(stage.spec, tensors, sampled.decode_index)

    def _launch(self, spec: StageSpec, tensors: Sequence[Any], picture: int) -> Any:
        inputs = {tensor.name: value for tensor, value in zip(spec.inputs, tensors)}
        self.exits.called(spec.name)
        with self._clock.span(f"stage:{spec.name}", picture):
            launched = self._runner.launch(spec.name, {**inputs, **self._memory.of(spec)} if spec.state else inputs)
            if isinstance(launched, Step):
                launched = self._memory.keep(spec, launched)
            return self._runner.fetch(launched) if spec is self._last else launched


class _Newest:
    """What inputs with `segments` are made of: what the newest sampled pictures had, by stage and tensor."""

    def __init__(self) -> None:
        self._values: Dict[Tuple[str, str], Deque[Tuple[int, Any]]] = {}

    def clear(self) -> None:
        self._values.clear()

    def history(self, stage: PlannedStage, each: PlannedInput, sampled: SampledPicture, value: Any) -> Any:
        """The input as the stage takes it: `value`, or with `segments` the newest of them in display order."""
        segments = each.tensor.segments
        if segments is None:
            return value
        newest = self._values.setdefault((stage.spec.name, each.tensor.name), deque(maxlen=segments))
        newest.append((sampled.display_index, value))
        clip = [one for _, one in sorted(newest, key=itemgetter(0))]
        history = History((*[clip[0]] * (segments - len(clip)), *clip))
        return history if each.from_stage else as_array(history)


class _Memory:
    """The state of the stages that have one, between two breaks of the stream."""

    def __init__(self, stages: Sequence[PlannedStage]) -> None:
        self._zeros = {
            stage.spec.name: {each.name: np.zeros((1, *each.shape), np.float32) for each in stage.spec.state}
            for stage in stages
        }
        self._state: Dict[str, Mapping[str, Any]] = dict(self._zeros)
        self._part = 0

    def reach(self, part: int) -> None:
        """Forget where the next picture is of another part of the stream."""
        if part != self._part:
            self._part = part
            self.forget()

    def forget(self) -> None:
        """Begin from zero, and keep no call's state."""
        self._state = dict(self._zeros)

    @property
    def all(self) -> Mapping[str, Mapping[str, Any]]:
        return {name: state for name, state in self._state.items() if state}

    def of(self, spec: StageSpec) -> Mapping[str, Any]:
        """The state that the stage's next call takes, by name."""
        return self._state[spec.name]

    def keep(self, spec: StageSpec, step: Step) -> Any:
        """Take up a call's state; its output."""
        self._state[spec.name] = step.state
        return step.output


def _keeping(sampled: SampledPicture, stages: Sequence[PlannedStage]) -> SampledPicture:
    """The picture with those prepared inputs alone that these stages take."""
    later = {each.tensor.source for stage in stages for each in stage.inputs if not each.from_stage}
    return replace(sampled, inputs={source: value for source, value in sampled.inputs.items() if source in later})
