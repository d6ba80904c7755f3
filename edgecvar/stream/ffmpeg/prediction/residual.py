"""The residual: a picture minus its motion-compensated prediction, with the codec's own interpolation."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Callable, Hashable, List, Optional, Protocol, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError
from edgecvar.stream.ffmpeg.prediction.padded import Blocks
from edgecvar.stream.ffmpeg.prediction.sampling_h264 import H264Sampler
from edgecvar.stream.ffmpeg.prediction.sampling_mpeg import HalfPelSampler, QuarterPelSampler
from edgecvar.stream.ffmpeg.references import PredictionPlan, Weighting, Weights
from edgecvar.stream.planes import Plane, Planes, SampleFormat
from edgecvar.stream.types import MotionField

_KEPT_SAMPLERS = 4


class Sampler(Protocol):
    """Predicts 8 x 8 cells from one reference picture."""

    def predict(self, mv: NDArray[np.int16], where: NDArray[np.bool_]) -> Blocks: ...


def make_sampler(planes: Planes, form: SampleFormat, plan: PredictionPlan) -> Sampler:
    """The interpolation that `plan` names, over the planes of one reference; raises StreamError."""
    if plan.interpolation == "h264":
        return H264Sampler(planes, form)
    truncate = plan.interpolation == "mpeg1"
    if form.bits > 8 or not (form.is_420 or truncate):
        raise StreamError(f"residuals of {plan.interpolation} need 8-bit 4:2:0; use the vectors alone, or re-encode")
    if plan.interpolation == "mpeg4-qpel":
        return QuarterPelSampler(planes, plan.rounding)
    return HalfPelSampler(planes, plan.rounding, truncate, form)


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
    form: SampleFormat,
    samplers: Tuple[Optional[Sampler], Optional[Sampler]],
    motion: MotionField,
    weighting: Weighting,
) -> Tuple[NDArray[np.int16], ...]:
    """`own` minus its prediction, plane by plane; 0 in blocks without a vector or whose reference is not there.

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
    covered = used[0] | used[1]
    rows, columns = covered.shape
    for index, plane in enumerate(own):
        cells = plane.reshape(rows, plane.shape[0] // rows, columns, plane.shape[1] // columns).transpose(0, 2, 1, 3)
        lists = [None if p is None else p[index] for p in predicted]
        prediction = np.zeros((int(covered.sum()), *cells.shape[2:]), plane.dtype)
        _combine(lists, used, _Weigher(weighting, index, form.maximum), prediction)
        difference = np.zeros(cells.shape, np.int16)
        difference[covered] = cells[covered].astype(np.int16) - prediction.astype(np.int16)
        planes.append(difference.transpose(0, 2, 1, 3).reshape(plane.shape))
    return tuple(planes)


@dataclass(frozen=True)
class _Weigher:
    """The weights of one plane (0, 1, 2 for y, cb, cr)."""

    weighting: Weighting
    plane: int
    maximum: int

    def single(self, samples: Plane, which: int) -> Plane:
        weights = self.weighting.list1 if which else self.weighting.list0
        return weigh(samples, None, weights, self.plane, self.maximum)

    def both(self, zero: Plane, one: Plane) -> Plane:
        return weigh(zero, one, self.weighting.both, self.plane, self.maximum)


def _combine(lists: List[Optional[Plane]], used: NDArray[np.bool_], weigher: _Weigher, prediction: Plane) -> None:
    """Fills the prediction (n, rows, columns) of every covered cell, in raster order."""
    covered = used[0] | used[1]
    in_zero, in_one = used[0][covered], used[1][covered]
    for which, inside, other in ((0, in_zero, in_one), (1, in_one, in_zero)):
        samples = lists[which]
        if samples is not None:
            prediction[inside & ~other] = weigher.single(samples[~other[inside]], which)
    zero, one = lists
    if zero is not None and one is not None:
        prediction[in_zero & in_one] = weigher.both(zero[in_one[in_zero]], one[in_zero[in_one]])


def weigh(a: Plane, b: Optional[Plane], weights: Optional[Weights], plane: int, maximum: int) -> Plane:
    """Samples predicted from `a` alone or from both; `plane` 0, 1, 2 picks the weights of y, cb, cr."""
    if weights is None:
        return a if b is None else (a | b) - ((a ^ b) >> 1)  # (a + b + 1) >> 1, in no wider numbers
    weight = weights[plane]
    total = a.astype(np.int32) * weight.w0 + weight.rounding
    if b is not None:
        total += b.astype(np.int32) * weight.w1
    weighted: NDArray[np.int32] = (total >> weight.shift) + weight.offset
    return np.clip(weighted, 0, maximum).astype(a.dtype)
