"""The stages over all samples at once: what each stage is fed, and its outputs, batch by batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.plan import PlannedInput, PlannedStage, plan_stages
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.messages import SampledPicture
from edgecvar.clips.samples import clip_starts, histories
from edgecvar.errors import CompileError, reason
from edgecvar.runners.onnx import onnx_runtime, session_options, usable_cores

Array = NDArray[np.float32]
Compute = Callable[[Dict[str, Array]], Sequence[Array]]
"""Runs a stage on one batch of its named inputs: what it gives, in the order of StageSpec.gives."""
Samples = Sequence[SampledPicture]

BATCH = 8
"""Samples in one run of a stage: what a paper-size backbone keeps alive of them stays in the hundreds of MB."""


class SampleWalk:
    """Samples by row: a stage that runs once a window has a row for each I-picture, the others one for each sample."""

    def __init__(self, stages: Sequence[StageSpec], samples: Samples) -> None:
        self.stages = {stage.spec.name: stage for stage in plan_stages(stages).stages}
        self.samples = samples
        self._appearances: List[Appearance] = []
        rows: Dict[int, int] = {}
        for sample in samples:
            for appearance in (sample.current, sample.neighbour):
                # The index counts within one clip, so the object itself tells I-pictures of several clips apart.
                if id(appearance) not in rows:
                    rows[id(appearance)] = len(self._appearances)
                    self._appearances.append(appearance)
        self._current = np.array([rows[id(sample.current)] for sample in samples], np.int64)
        self._adjacent = np.array([rows[id(sample.neighbour)] for sample in samples], np.int64)
        lengths = {each.tensor.segments for stage in self.stages.values() for each in stage.inputs}
        self._past = {segments: histories(samples, segments) for segments in lengths if segments is not None}

    def run(self, stage: str, outputs: Mapping[str, Array], compute: Compute) -> Array:
        """The stage's output for all rows, computed at most BATCH at a time; `outputs`: of the earlier stages."""
        planned = self.stages[stage]
        if planned.spec.state:
            return self._run_in_order(planned, outputs, compute)
        count = len(self._appearances) if planned.spec.cadence == "gop" else len(self.samples)
        groups = (np.arange(start, min(start + BATCH, count)) for start in range(0, count, BATCH))
        return np.concatenate([compute(self._inputs(planned, rows, outputs))[0] for rows in groups])

    def _run_in_order(self, planned: PlannedStage, outputs: Mapping[str, Array], compute: Compute) -> Array:
        """Clips side by side, each of them picture by picture in display order, from a state of zeros."""
        spec, starts = planned.spec, clip_starts(self.samples)
        clips: Dict[int, List[int]] = {}
        for place in sorted(range(len(starts)), key=lambda each: self.samples[each].display_index):
            clips.setdefault(starts[place], []).append(place)
        everything = np.empty((len(starts), *spec.output_shape), np.float32)
        whole = list(clips.values())
        for group in (whole[first : first + BATCH] for first in range(0, len(whole), BATCH)):
            group = sorted(group, key=len, reverse=True)
            state = [np.zeros((len(group), *each.shape), np.float32) for each in spec.state]
            for step in range(len(group[0])):
                rows = np.array([clip[step] for clip in group if len(clip) > step], np.int64)
                given = {each.name: values[: len(rows)] for each, values in zip(spec.state, state)}
                everything[rows], *state = compute({**self._inputs(planned, rows, outputs), **given})
        return everything

    def _inputs(self, planned: PlannedStage, rows: NDArray[np.int64], outputs: Mapping[str, Array]) -> Dict[str, Array]:
        return {each.tensor.name: self._rows(planned, each, rows, outputs) for each in planned.inputs}

    def scores(self, outputs: Mapping[str, Array]) -> Array:
        """The last stage's output for each sample, (samples, classes)."""
        last = list(self.stages.values())[-1].spec
        return outputs[last.name][self._current] if last.cadence == "gop" else outputs[last.name]

    def _rows(
        self, planned: PlannedStage, each: PlannedInput, rows: NDArray[np.int64], outputs: Mapping[str, Array]
    ) -> Array:
        source, segments = each.tensor.source, each.tensor.segments
        if segments is not None:
            past = self._past[segments][rows]
            one = replace(each, tensor=each.tensor.model_copy(update={"segments": None}))
            values = self._rows(planned, one, past.ravel(), outputs)
            return values.reshape(*past.shape, *values.shape[1:])
        of_window = planned.spec.cadence == "gop"
        pictures = rows if of_window else (self._adjacent if each.tensor.gop == "adjacent" else self._current)[rows]
        if each.from_stage:
            return outputs[source][pictures if self.stages[source].spec.cadence == "gop" else rows]
        if source == "image":
            return np.stack([self._appearances[row].prepared for row in pictures])
        return np.stack([self.samples[row].inputs[source] for row in rows])


def open_session(model: Union[bytes, Path], stage: str, threads: Optional[int] = None) -> Any:
    """An ONNX Runtime session that computes what the graph says, Q/DQ included; raises CompileError."""
    onnxruntime = onnx_runtime()
    # Its own int8 kernels saturate sums to 16 bits on some CPUs, which no device does.
    options = session_options(threads or usable_cores(), as_written=True)
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no public parent for its errors
        raise CompileError(
            f"stage {stage}: ONNX Runtime {onnxruntime.__version__} cannot load it: {reason(error)}; use the "
            "versions in constraints.txt"
        ) from error


def computing(session: Any) -> Compute:
    """What a session makes of one batch."""
    return lambda batch: list(session.run(None, batch))
