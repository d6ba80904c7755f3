"""Mixed precision by measurement: the method of calibration, and the smallest set of layers that stays fp16."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import AbstractSet, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecvar.bundle.precision import KeptLayer, Method
from edgecvar.bundle.stages import StageSpec, has_state
from edgecvar.clips.samples import spread
from edgecvar.compile.int8.calibrate import Histogram, Ranges, calibrate, ranges_by
from edgecvar.compile.int8.deviation import Deviation, measure_deviation
from edgecvar.compile.int8.quantize import Quantizer
from edgecvar.compile.int8.sample_walk import Samples, SampleWalk, computing, open_session
from edgecvar.errors import CompileError
from edgecvar.progress import Progress, silent

METHODS: Tuple[Method, ...] = ("entropy", "percentile", "minmax")

LayerOf = Tuple[str, str]
"""A stage and the name of a layer in it."""

BeyondHalf = Mapping[str, AbstractSet[str]]
"""By stage, its layers that fp16 cannot hold, as Quantizer has them."""

SENSITIVITY_SAMPLES = 64
"""Samples that order the layers; whether a set of them is enough is measured on all."""

SENSITIVITY_CLIPS = 8
"""Clips that do, where a network remembers."""

REMEMBERED = 3
"""Outputs kept of each stage: those with every layer in fp16, and those of the latest choices."""


@dataclass(frozen=True)
class Int8Stages:
    """The int8 stages by name, and how they came about; see `bundle.precision.Int8Record`.

    `full`: the same with their kept layers in fp32, for `strongly_typed`.
    """

    models: Dict[str, onnx.ModelProto]
    full: Dict[str, onnx.ModelProto]
    method: Method
    losses: List[Tuple[Method, float]]
    drop: float
    searched: int
    kept: List[KeptLayer]


def make_int8(
    stages: Sequence[StageSpec],
    files: Mapping[str, Path],
    calibration: Samples,
    search: Samples,
    max_drop: Optional[float],
    progress: Progress = silent,
    beyond_half: Optional[BeyondHalf] = None,
) -> Int8Stages:
    """int8 stages of the fp32 `files`, with the fewest layers in fp16 that keep the drop at `max_drop` percent.

    All layers are int8 where `max_drop` is None. Raises CompileError for samples that cannot calibrate, and where
    not even fp16 keeps the drop.
    """
    if not search:
        raise CompileError("no samples to compare int8 with fp32 on; name a data set with more clips")
    steps = _Steps(progress, 2 + len(METHODS))
    steps.next("calibrate")
    histograms = calibrate(stages, files, calibration)
    steps.next("run fp32")
    trial = Trial(stages, files, search, beyond_half=beyond_half)
    by_method = _try_methods(trial, histograms, steps)
    # The first of equals, so that the same data always gives the same stages.
    method = min(METHODS, key=lambda each: by_method[each][0].loss)
    deviation, ranges = by_method[method]
    kept: List[KeptLayer] = []
    if max_drop is not None and deviation.drop > max_drop:
        few = Trial(stages, files, _few(stages, search), beyond_half=beyond_half)
        deviation, kept = _keep_fewest(trial, few, ranges, max_drop, steps)
    half_layers = frozenset((layer.stage, layer.layer) for layer in kept)
    steps.finish()
    return Int8Stages(
        models=trial.models(ranges, half_layers),
        full=trial.models(ranges, half_layers, half=False),
        method=method,
        losses=[(each, by_method[each][0].loss) for each in METHODS],
        drop=deviation.drop,
        searched=len(search),
        kept=kept,
    )


class Trial:
    """Measures choices of layers on the search samples; a stage is run again only when it or a source changed."""

    def __init__(
        self,
        stages: Sequence[StageSpec],
        files: Mapping[str, Path],
        samples: Samples,
        threads: Optional[int] = None,
        beyond_half: Optional[BeyondHalf] = None,
    ) -> None:
        self.searched = len(samples)
        self._walk = SampleWalk(stages, samples)
        self._threads = threads
        beyond = beyond_half or {}
        self._quantizers = {
            spec.name: Quantizer(onnx.load(str(files[spec.name])), beyond.get(spec.name, frozenset()))
            for spec in stages
        }
        self.layers: FrozenSet[LayerOf] = frozenset(
            (stage, layer.name) for stage, quantizer in self._quantizers.items() for layer in quantizer.layers
        )
        self._remembered: Dict[str, OrderedDict[object, NDArray[np.float32]]] = {
            spec.name: OrderedDict() for spec in stages
        }
        outputs: Dict[str, NDArray[np.float32]] = {}
        for spec in stages:
            session = open_session(files[spec.name], spec.name, threads)
            outputs[spec.name] = self._walk.run(spec.name, outputs, computing(session))
        self._scores = self._walk.scores(outputs)

    def measure(self, ranges: Ranges, keep: FrozenSet[LayerOf]) -> Deviation:
        """The stages with `keep` in fp16 and all other layers in int8, against fp32."""
        outputs: Dict[str, NDArray[np.float32]] = {}
        keys: Dict[str, object] = {}
        for stage, planned in self._walk.stages.items():
            sources = tuple(keys[each.tensor.source] for each in planned.inputs if each.from_stage)
            names = frozenset(layer for of, layer in keep if of == stage)
            keys[stage] = (names, tuple(sorted(ranges[stage].items())), sources)
            outputs[stage] = self._output(stage, keys[stage], ranges, names, outputs)
        return measure_deviation(self._scores, self._walk.scores(outputs))

    def models(self, ranges: Ranges, keep: FrozenSet[LayerOf], half: bool = True) -> Dict[str, onnx.ModelProto]:
        """Every stage written with that choice; `half`: as in `Quantizer.write`."""
        return {
            stage: quantizer.write(ranges[stage], frozenset(layer for of, layer in keep if of == stage), half)
            for stage, quantizer in self._quantizers.items()
        }

    def describe(self, layer: LayerOf, loss: float) -> KeptLayer:
        """A kept layer, with the bytes that int8 would save: none where its weights are stored as int8 anyway."""
        gain = next(each.half_bytes for each in self._quantizers[layer[0]].layers if each.name == layer[1])
        return KeptLayer(stage=layer[0], layer=layer[1], loss=loss, gain=gain)

    def _output(
        self,
        stage: str,
        key: object,
        ranges: Ranges,
        keep: FrozenSet[str],
        outputs: Mapping[str, NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        remembered = self._remembered[stage]
        if key not in remembered:
            model = self._quantizers[stage].write(ranges[stage], keep)
            session = open_session(model.SerializeToString(), stage, self._threads)
            remembered[key] = self._walk.run(stage, outputs, computing(session))
            if len(remembered) > REMEMBERED:
                remembered.popitem(last=False)
        remembered.move_to_end(key)
        return remembered[key]


def _few(stages: Sequence[StageSpec], search: Samples) -> Samples:
    """Those that order the layers: spread over all, or, for a network that remembers, of fewer clips as a whole."""
    if not has_state(stages):
        return spread(search, SENSITIVITY_SAMPLES)
    clips = list(dict.fromkeys(sample.clip for sample in search))
    chosen = set(spread(clips, SENSITIVITY_CLIPS))
    return [sample for sample in search if sample.clip in chosen]


def _try_methods(
    trial: Trial, histograms: Mapping[str, Mapping[str, Histogram]], steps: _Steps
) -> Dict[Method, Tuple[Deviation, Ranges]]:
    """What every layer in int8 costs with the ranges of each method, and those ranges."""
    by_method: Dict[Method, Tuple[Deviation, Ranges]] = {}
    for method in METHODS:
        steps.next(f"try {method} ranges")
        ranges = ranges_by(method, histograms)
        by_method[method] = (trial.measure(ranges, frozenset()), ranges)
    return by_method


def _keep_fewest(
    trial: Trial, few: Trial, ranges: Ranges, max_drop: float, steps: _Steps
) -> Tuple[Deviation, List[KeptLayer]]:
    """What the fewest layers in fp16 come to that keep the drop, and those; `few` samples order them.

    Raises CompileError where even every layer in fp16 drops more percent than `max_drop`.
    """
    drop = trial.measure(ranges, trial.layers).drop
    if drop > max_drop:
        raise CompileError(
            f"with every layer in fp16 {drop:.2f} % of {trial.searched} decisions differ from fp32's, and "
            f"--max-drop allows {max_drop:g} %; allow more, or compile fp16 or fp32 alone"
        )
    losses = _sensitivities(few, ranges, steps)
    smallest = _smallest(trial, ranges, losses, max_drop, steps)
    kept = [trial.describe(layer, losses[layer]) for layer in _most_sensitive(losses) if layer in smallest]
    return trial.measure(ranges, smallest), kept


def _sensitivities(trial: Trial, ranges: Ranges, steps: _Steps) -> Dict[LayerOf, float]:
    """What each layer costs when it alone is int8."""
    steps.expect(len(trial.layers))
    losses: Dict[LayerOf, float] = {}
    for layer in sorted(trial.layers):
        steps.next(f"sensitivity of {layer[0]}: {layer[1]}")
        losses[layer] = trial.measure(ranges, trial.layers - {layer}).loss
    return losses


def _most_sensitive(losses: Mapping[LayerOf, float]) -> List[LayerOf]:
    """The most sensitive first, ties by name."""
    return sorted(losses, key=lambda layer: (-losses[layer], layer))


def _smallest(
    trial: Trial, ranges: Ranges, losses: Mapping[LayerOf, float], max_drop: float, steps: _Steps
) -> FrozenSet[LayerOf]:
    """Bisection for the shortest prefix of the most sensitive layers, then out goes each that can be missed."""
    order = _most_sensitive(losses)
    few, enough = 0, len(order)
    steps.expect(int(np.ceil(np.log2(enough))))
    while enough - few > 1:
        middle = (few + enough) // 2
        steps.next(f"{middle} layers in fp16")
        if trial.measure(ranges, frozenset(order[:middle])).drop <= max_drop:
            enough = middle
        else:
            few = middle
    kept = order[:enough]
    while True:
        before = len(kept)
        steps.expect(before)
        for layer in reversed(list(kept)):
            steps.next(f"without {layer[0]}: {layer[1]}")
            rest = [each for each in kept if each != layer]
            if trial.measure(ranges, frozenset(rest)).drop <= max_drop:
                kept = rest
        if len(kept) == before:
            return frozenset(kept)


class _Steps:
    """Counts steps for a progress bar whose end moves as the search learns how far it has to go."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._done = -1
        self._total = total

    def expect(self, more: int) -> None:
        self._total = max(self._total, self._done + 1 + more)

    def next(self, what: str) -> None:
        self._done += 1
        self._total = max(self._total, self._done + 1)
        self._progress(self._done, self._total, what)

    def finish(self) -> None:
        self._progress(self._total, self._total, "done")
