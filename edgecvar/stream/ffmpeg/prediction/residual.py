"""The residual: a picture minus its motion-compensated prediction, with the codec's own interpolation."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Callable, Hashable, List, Optional, Protocol, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.ffmpeg.prediction.padded import Blocks
from edgecvar.stream.ffmpeg.prediction.sampling_h264 import H264Sampler
from edgecvar.stream.ffmpeg.prediction.sampling_mpeg import HalfPelSampler, QuarterPelSampler
from edgecvar.stream.ffmpeg.references import PredictionPlan, Weighting, Weights
from edgecvar.stream.planes import Planes
from edgecvar.stream.types import MotionField, Residual

_KEPT_SAMPLERS = 4


class Sampler(Protocol):
    """Predicts 8 x 8 cells from one reference picture."""

    def predict(self, mv: NDArray[np.int16], where: NDArray[np.bool_]) -> Blocks: ...


def make_sampler(planes: Planes, plan: PredictionPlan) -> Sampler:
    """The interpolation that `plan` names, over the planes of one reference."""
    if plan.interpolation == "h264":
        return H264Sampler(planes)
    if plan.interpolation == "mpeg4-qpel":
        return QuarterPelSampler(planes, plan.rounding)
    return HalfPelSampler(planes, plan.rounding, truncate=plan.interpolation == "mpeg1")


class SamplerStore:
    """Keeps the samplers of the references used last, so that the pictures of one reference share its work."""

    def __init__(self) -> None:
        self._samplers: OrderedDict[Hashable, Sampler] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Sampler]) -> Sampler:
        with self._lock:
            if key in self._samplers:
                self._samplers.move_to_end(key)
                return self._samplers[key]
        sampler = make()
        with self._lock:
            self._samplers[key] = sampler
            while len(self._samplers) > _KEPT_SAMPLERS:
                self._samplers.popitem(last=False)
        return sampler


def residual_of(
    own: Planes,
    samplers: Tuple[Optional[Sampler], Optional[Sampler]],
    motion: MotionField,
    weighting: Weighting,
) -> Residual:
    """`own` minus its prediction; 0 in blocks without a vector or whose reference is not there.

    The vectors are those of the 8 x 8 cells. Both lists: (a + b + 1) >> 1, or the weights of `weighting`.
    """
    mv = motion.mv_qpel[:, ::2, ::2]
    used = motion.ref_offset[:, ::2, ::2] != 0
    used = used & np.array([sampler is not None for sampler in samplers])[:, None, None]
    predicted = [
        None if sampler is None or not where.any() else sampler.predict(vectors, where)
        for sampler, vectors, where in zip(samplers, mv, used)
    ]
    planes = []
    for index, plane in enumerate(own):
        side = 8 if index == 0 else 4
        blocks = _combined([None if p is None else p[index] for p in predicted], used, weighting, index, side)
        covered = used[0] | used[1]
        cells = plane.reshape(covered.shape[0], side, covered.shape[1], side).transpose(0, 2, 1, 3)
        difference = np.zeros(cells.shape, np.int16)
        difference[covered] = cells[covered].astype(np.int16) - blocks
        planes.append(difference.transpose(0, 2, 1, 3).reshape(plane.shape))
    return Residual(planes[0], planes[1], planes[2])


def _combined(
    lists: List[Optional[NDArray[np.uint8]]],
    used: NDArray[np.bool_],
    weighting: Weighting,
    plane: int,
    side: int,
) -> NDArray[np.uint8]:
    """The prediction (n, side, side) of every covered cell, in raster order."""
    covered = used[0] | used[1]
    prediction = np.zeros((int(covered.sum()), side, side), np.uint8)
    in_zero, in_one = used[0][covered], used[1][covered]
    single = (weighting.list0, weighting.list1)
    for which, inside, other in ((0, in_zero, in_one), (1, in_one, in_zero)):
        samples = lists[which]
        if samples is not None:
            alone = ~other[inside]
            prediction[inside & ~other] = weigh(samples[alone], None, single[which], plane)
    zero, one = lists
    if zero is not None and one is not None:
        a, b = zero[in_one[in_zero]], one[in_zero[in_one]]
        prediction[in_zero & in_one] = weigh(a, b, weighting.both, plane)
    return prediction


def weigh(
    a: NDArray[np.uint8], b: Optional[NDArray[np.uint8]], weights: Optional[Weights], plane: int
) -> NDArray[np.uint8]:
    """Samples predicted from `a` alone or from both; `plane` 0, 1, 2 picks the weights of y, cb, cr."""
    if weights is None:
        return a if b is None else (a | b) - ((a ^ b) >> 1)  # (a + b + 1) >> 1, in 8 bits
    weight = weights[plane]
    total = a.astype(np.int32) * weight.w0 + weight.rounding
    if b is not None:
        total += b.astype(np.int32) * weight.w1
    weighted: NDArray[np.int32] = (total >> weight.shift) + weight.offset
    return np.clip(weighted, 0, 255).astype(np.uint8)
