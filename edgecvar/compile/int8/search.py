"""Mixed precision by measurement: the method of calibration, and the layers that stay fp16, tried on real samples."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import AbstractSet, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecvar.bundle.precision import KeptLayer, Method, TimedChoice, UnpaidLayer
from edgecvar.bundle.stages import StageSpec, has_state
from edgecvar.clips.samples import spread
from edgecvar.compile.int8.calibrate import Histogram, Ranges, calibrate, ranges_by
from edgecvar.compile.int8.clock import LayerOf, StageClock, WholeClock
from edgecvar.compile.int8.deviation import Deviation, measure_deviation
from edgecvar.compile.int8.keeping import Keeper, most_sensitive
from edgecvar.compile.int8.quantize import Quantizer
from edgecvar.compile.int8.sample_walk import Samples, SampleWalk, computing, open_session
from edgecvar.compile.int8.steps import Steps
from edgecvar.errors import CompileError
from edgecvar.progress import Progress, silent

METHODS: Tuple[Method, ...] = ("entropy", "percentile", "minmax")

BeyondHalf = Mapping[str, AbstractSet[str]]
"""By stage, its layers that fp16 cannot hold, as Quantizer has them."""

SENSITIVITY_SAMPLES = 64
"""Samples that order the layers; whether a set of them is enough is measured on all."""

SENSITIVITY_CLIPS = 8
"""Clips that do, where a network remembers."""

REMEMBERED = 3
"""Outputs kept of each stage: those with every layer in fp16, and those of the latest choices."""


@dataclass(frozen=True)
class Aim:
    """What int8 is to reach: at most `max_drop` percent of the decisions changed, None for whatever it costs.

    `clock`: the device that it is to be fast on; without one the fewest layers stay fp16.
    """

    max_drop: Optional[float] = None
    clock: Optional[StageClock] = None


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
    timed: Optional[TimedChoice]


def make_int8(
    stages: Sequence[StageSpec],
    files: Mapping[str, Path],
    calibration: Samples,
    search: Samples,
    aim: Aim,
    progress: Progress = silent,
    beyond_half: Optional[BeyondHalf] = None,
) -> Int8Stages:
    """int8 stages of the fp32 `files`, with the fewest layers in fp16 that keep the drop, or the fastest choice.

    Raises CompileError for samples that cannot calibrate, and where not even fp16 keeps the drop.
    """
    if not search:
        raise CompileError("no samples to compare int8 with fp32 on; name a data set with more clips")
    steps = Steps(progress, 2 + len(METHODS))
    steps.next("calibrate")
    histograms = calibrate(stages, files, calibration)
    steps.next("run fp32")
    trial = Trial(stages, files, search, beyond_half=beyond_half)
    clock: Optional[WholeClock] = None
    unpaid: FrozenSet[LayerOf] = frozenset()
    if aim.clock is not None:
        steps.next(f"weigh times on {aim.clock.device}")
        clock = WholeClock(aim.clock, trial.by_stage)
        unpaid = clock.fastest()
    by_method = _try_methods(trial, histograms, unpaid, steps)
    # The first of equals, so that the same data always gives the same stages.
    method = min(METHODS, key=lambda each: by_method[each][0].loss)
    deviation, ranges = by_method[method]
    half_layers = unpaid
    losses: Dict[LayerOf, float] = {}
    if aim.max_drop is not None and deviation.drop > aim.max_drop:
        few = Trial(stages, files, _few(stages, search), beyond_half=beyond_half)
        keeper = Keeper(trial, ranges, aim.max_drop, steps, unpaid)
        half_layers, losses = keeper.fewest(few) if clock is None else keeper.fastest(few, clock)
        deviation = trial.measure(ranges, half_layers)
    steps.finish()
    return Int8Stages(
        models=trial.models(ranges, half_layers),
        full=trial.models(ranges, half_layers, half=False),
        method=method,
        losses=[(each, by_method[each][0].loss) for each in METHODS],
        drop=deviation.drop,
        searched=len(search),
        kept=[trial.describe(layer, losses[layer]) for layer in most_sensitive(losses) if layer in half_layers],
        timed=None if clock is None else _timed(clock, trial, half_layers, unpaid),
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
        self.by_stage = {
            stage: [layer.name for layer in quantizer.layers] for stage, quantizer in self._quantizers.items()
        }
        self.layers: FrozenSet[LayerOf] = frozenset(
            (stage, layer) for stage, layers in self.by_stage.items() for layer in layers
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
    trial: Trial, histograms: Mapping[str, Mapping[str, Histogram]], kept: FrozenSet[LayerOf], steps: Steps
) -> Dict[Method, Tuple[Deviation, Ranges]]:
    """What every layer but `kept` in int8 costs with the ranges of each method, and those ranges."""
    by_method: Dict[Method, Tuple[Deviation, Ranges]] = {}
    for method in METHODS:
        steps.next(f"try {method} ranges")
        ranges = ranges_by(method, histograms)
        by_method[method] = (trial.measure(ranges, kept), ranges)
    return by_method


def _timed(clock: WholeClock, trial: Trial, half_layers: FrozenSet[LayerOf], unpaid: FrozenSet[LayerOf]) -> TimedChoice:
    """The times of a choice; `unpaid`: what time alone put into fp16, weighed against each alone in int8."""
    least = clock.ms(unpaid)
    return TimedChoice(
        device=clock.device,
        ms=clock.ms(half_layers),
        int8_ms=clock.ms(frozenset()),
        fp16_ms=clock.ms(trial.layers),
        unpaid=[
            UnpaidLayer(stage=stage, layer=layer, ms=clock.ms(unpaid - {(stage, layer)}) - least)
            for stage, layers in trial.by_stage.items()
            for layer in layers
            if (stage, layer) in unpaid
        ],
    )
