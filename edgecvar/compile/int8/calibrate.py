"""Ranges of activations, from one pass of real inputs through the fp32 stages: min-max, percentile and entropy."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgecvar.bundle.precision import Method
from edgecvar.bundle.stages import StageSpec
from edgecvar.compile.int8.layers import quantised_tensors
from edgecvar.compile.int8.sample_walk import Samples, SampleWalk, open_session
from edgecvar.errors import CompileError

BINS = 2048
PERCENTILE = 99.99
QUANTISED_LEVELS = 128
"""Magnitudes that int8 tells apart."""

STRIDE = 8
"""Entropy tries every eighth bin as the range: its divergence is smooth over so few bins."""

SMALLEST = 1e-30
"""Below it the scales of int8 leave the normal range of fp32."""

Ranges = Dict[str, Dict[str, float]]
"""Stage -> tensor -> the largest magnitude to represent."""


class Histogram:
    """Magnitudes of a stream of values in BINS equal bins; the range doubles, bins merging in pairs, as it must.

    Zeros are left out: they are exact at any range, and sparse inputs are nearly all zeros.
    """

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(BINS, np.int64)
        self.range = 0.0
        self.largest = 0.0

    def add(self, values: NDArray[np.float32]) -> None:
        """Count finite `values` of any shape."""
        magnitudes = np.abs(values).ravel()
        largest = float(magnitudes.max(initial=0.0))
        if largest == 0.0:
            return
        self.largest = max(self.largest, largest)
        if self.range == 0.0:
            self.range = largest
        while self.range < largest:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([pairs, np.zeros_like(pairs)])
            self.range *= 2
        places = (magnitudes / self.range * BINS).astype(np.int32)
        np.minimum(places, BINS - 1, out=places)
        places[magnitudes == 0] = BINS
        self.counts += np.bincount(places, minlength=BINS + 1)[:BINS]

    def threshold(self, method: Method) -> float:
        """The largest magnitude that int8 should represent; never more than the largest seen."""
        if method == "minmax":
            return self.largest
        bins = percentile_bins(self.counts) if method == "percentile" else entropy_bins(self.counts)
        return min(bins * self.range / BINS, self.largest)


def percentile_bins(counts: NDArray[np.int64], percentile: float = PERCENTILE) -> int:
    """Bins from zero that hold `percentile` of the values."""
    below = np.cumsum(counts)
    return int(np.searchsorted(below, percentile / 100 * below[-1])) + 1


def entropy_bins(counts: NDArray[np.int64]) -> int:
    """Bins from zero that, clipped there and quantised to 128 levels, lose least information.

    Migacz, "8-bit inference with TensorRT" (GTC 2017): the Kullback-Leibler divergence of the clipped distribution,
    the clipped values counted in its last bin, from its quantised form, which spreads each level evenly over the
    bins in use.
    """
    last = int(np.flatnonzero(counts)[-1]) + 1
    best, fewest = BINS, np.inf
    for bins in range(QUANTISED_LEVELS, max(last, QUANTISED_LEVELS) + STRIDE, STRIDE):
        bins = min(bins, BINS)
        divergence = _clipped_divergence(counts, bins)
        if divergence < fewest:
            best, fewest = bins, divergence
    return best


def _clipped_divergence(counts: NDArray[np.int64], bins: int) -> float:
    kept = counts[:bins].astype(np.float64)
    reference = kept.copy()
    reference[-1] += counts[bins:].sum()
    level = np.arange(bins) * QUANTISED_LEVELS // bins
    used = kept > 0
    totals = np.bincount(level, weights=kept, minlength=QUANTISED_LEVELS)
    spread = np.bincount(level[used], minlength=QUANTISED_LEVELS)
    quantised = np.where(used, (totals / np.maximum(spread, 1))[level], 0.0)
    if not quantised.any():
        return np.inf
    present = reference > 0
    if (quantised[present] == 0).any():
        # Only what was clipped is in the last bin: nothing there says how much is lost.
        return np.inf
    p, q = reference / reference.sum(), quantised / quantised.sum()
    return float((p[present] * np.log(p[present] / q[present])).sum())


def calibrate(
    stages: Sequence[StageSpec], files: Mapping[str, Path], samples: Samples, threads: Optional[int] = None
) -> Dict[str, Dict[str, Histogram]]:
    """Stage -> tensor -> its histogram over `samples`, for every activation that int8 needs a range of.

    Raises CompileError without samples, where a value is not finite, and for a tensor that is always 0.
    """
    if not samples:
        raise CompileError("no samples to calibrate with; name a data set whose clips have P or B pictures")
    walk = SampleWalk(stages, samples)
    outputs: Dict[str, NDArray[np.float32]] = {}
    histograms: Dict[str, Dict[str, Histogram]] = {}
    for stage in walk.stages:
        model = onnx.load(str(files[stage]))
        histograms[stage] = {tensor: Histogram() for tensor in quantised_tensors(model)}
        session = open_session(_with_outputs(model, list(histograms[stage])), stage, threads)
        outputs[stage] = walk.run(stage, outputs, partial(_count, session, walk.stages[stage].spec, histograms[stage]))
        silent = [tensor for tensor, histogram in histograms[stage].items() if histogram.largest < SMALLEST]
        if silent:
            raise CompileError(
                f"stage {stage}: tensors that are 0 in all {len(samples)} calibration samples and have no range: "
                f"{', '.join(silent)}; calibrate with more clips, in which things move"
            )
    return histograms


def ranges_by(method: Method, histograms: Mapping[str, Mapping[str, Histogram]]) -> Ranges:
    """Every tensor's range by one method."""
    return {
        stage: {tensor: histogram.threshold(method) for tensor, histogram in tensors.items()}
        for stage, tensors in histograms.items()
    }


def _count(
    session: Any, stage: StageSpec, histograms: Dict[str, Histogram], batch: Dict[str, NDArray[np.float32]]
) -> List[NDArray[np.float32]]:
    """Add one batch to the histograms; what the stage gives."""
    names = [value.name for value in session.get_outputs()]
    values = dict(zip(names, session.run(None, batch)))
    for tensor, histogram in histograms.items():
        activations = batch[tensor] if tensor in batch else values[tensor]
        if not np.isfinite(activations).all():
            raise CompileError(
                f"stage {stage.name}: tensor {tensor} has NaN or infinite values in fp32, so no range can be given; "
                "check the checkpoint"
            )
        histogram.add(activations)
    return [values[name] for name in stage.gives]


def _with_outputs(model: onnx.ModelProto, tensors: Sequence[str]) -> bytes:
    """The model with `tensors` that nodes make as outputs after its own."""
    computed = {name for node in model.graph.node for name in node.output}
    own = {value.name for value in model.graph.output}
    for tensor in tensors:
        if tensor in computed and tensor not in own:
            model.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    serialised: bytes = model.SerializeToString()
    return serialised
