"""A machine as fitted: what each routine reaches here by the size of its work, as plain data."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Dict, List, Literal, Optional, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from edgecvar.predict.work import Layer

REACH = 2.0
"""Doublings over which a measurement tells of its neighbours."""
LEAST = 0.9
"""Of the ideal time: nothing is much faster than the fastest that was measured."""
NOISE = 0.05
"""Of a measurement's logarithm."""
MOST_SAMPLES = 500
REST = "relu"
"""Stands for a routine that the machine was not measured with."""
SIZES, LARGEST_SIZE = 5, 64


class Sample(BaseModel):
    """A routine at one size: what its work would take at the machine's peaks, and what it took, in microseconds.

    `far`: with its weights in memory; None where it has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sizes: List[float] = Field(min_length=SIZES, max_length=SIZES)
    ideal: float = Field(gt=0)
    near: float = Field(gt=0)
    far: Optional[float] = Field(default=None, gt=0)

    @field_validator("sizes")
    @classmethod
    def _in_range(cls, sizes: List[float]) -> List[float]:
        if not all(0 <= each <= LARGEST_SIZE for each in sizes):
            raise ValueError(f"every size must lie between 0 and {LARGEST_SIZE}, in doublings")
        return sizes


class Machine(BaseModel):
    """`gops` (multiply-adds count twice) and `gb_per_s` are the most that any routine reached, `floor` the least time.

    `routines`: by name, the samples between which efficiency is interpolated, in logarithms of sizes. `overhead`: of a
    call with one input, one output; `tensor`: of each more. `kept`: bytes of weights that are still near at the next
    call. `spread`: by routine, the typical factor by which a sample left out is missed.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    processor: str
    threads: int = Field(ge=1)
    onnxruntime: str
    kept: int = Field(gt=0)
    gops: float = Field(gt=0)
    gops_int8: float = Field(gt=0)
    gb_per_s: float = Field(gt=0)
    gb_per_s_far: float = Field(gt=0)
    floor: float = Field(ge=0)
    overhead: float = Field(ge=0)
    tensor: float = Field(ge=0)
    routines: Dict[str, List[Sample]] = Field(max_length=100)
    spread: Dict[str, float] = Field(default_factory=dict)

    @field_validator("routines")
    @classmethod
    def _fittable(cls, routines: Dict[str, List[Sample]]) -> Dict[str, List[Sample]]:
        for name, samples in routines.items():
            if not 1 <= len(samples) <= MOST_SAMPLES:
                raise ValueError(f"routine {name!r} has {len(samples)} samples, not 1 to {MOST_SAMPLES}")
        if routines and REST not in routines:
            raise ValueError(f"routine {REST!r} is missing")
        return routines

    def seconds(self, routine: str, layer: Layer, far_share: float) -> float:
        """Of one kernel; `far_share`: of its weights, how much comes from memory; raises KeyError."""
        sizes, ideal = sizes_of(layer), self.ideal(layer)
        fits = self._fits[routine]
        near = fits[0].factor(sizes)
        far = fits[1].factor(sizes) if len(fits) > 1 else near
        factor = near * (1 - far_share) + max(far, near) * far_share
        return (self.floor + ideal * max(factor, LEAST)) * 1e-6

    def ideal(self, layer: Layer) -> float:
        """Microseconds at the peaks: the larger of computing and carrying."""
        gops = self.gops_int8 if layer.precision == "int8" else self.gops
        return max(2e-3 * layer.multiply_adds / gops, 1e-3 * max(layer.moved, 1) / self.gb_per_s)

    @cached_property
    def _fits(self) -> Dict[str, List[Smooth]]:
        found = {}
        for routine, samples in self.routines.items():
            sizes = [each.sizes for each in samples]
            fits = [Smooth(sizes, [self._factor(each, each.near) for each in samples])]
            if all(each.far is not None for each in samples):
                fits.append(Smooth(sizes, [self._factor(each, each.far or each.near) for each in samples]))
            found[routine] = fits
        return found

    def _factor(self, sample: Sample, took: float) -> float:
        return max(took - self.floor, took / 5) / sample.ideal

    def residuals(self) -> Dict[str, float]:
        """By routine, the median factor by which a sample is missed by the others."""
        return {name: fits[0].left_out() for name, fits in self._fits.items()}


class Smooth:
    """A positive value between points: a plane in their logarithms, and what is left carried to the neighbours."""

    def __init__(self, sizes: Sequence[Sequence[float]], values: Sequence[float]) -> None:
        points: NDArray[np.float64] = np.asarray(sizes, np.float64)
        self._centre = points.mean(axis=0)
        self._points = points
        logs = np.log(np.asarray(values, np.float64))
        self._bounds = (points.min(axis=0), points.max(axis=0))
        self._range = (float(logs.min()), float(logs.max()))
        plane = self._plane(points)
        ridge = np.diag([1e-6, *[0.3] * (plane.shape[1] - 1)])
        self._slope = np.linalg.solve(plane.T @ plane + ridge, plane.T @ logs)
        left = logs - plane @ self._slope
        self._height = max(float(left.var()), 1e-4)
        kernel = self._kernel(points) + NOISE**2 * np.eye(len(points))
        self._inverse = np.linalg.inv(kernel)
        self._left, self._pull = left, self._inverse @ left

    def factor(self, sizes: Sequence[float]) -> float:
        at: NDArray[np.float64] = np.clip(np.asarray([sizes], np.float64), *self._bounds)
        log = float((self._plane(at) @ self._slope + self._kernel(at) @ self._pull)[0])
        return math.exp(min(max(log, self._range[0] - 0.5), self._range[1] + 0.5))

    def left_out(self) -> float:
        missed = self._pull / np.diag(self._inverse)
        return float(np.exp(np.median(np.abs(missed))))

    def _plane(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.hstack([np.ones((len(points), 1)), points - self._centre])

    def _kernel(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        apart = points[:, None] - self._points[None]
        result: NDArray[np.float64] = self._height * np.exp(-(apart**2).sum(axis=-1) / (2 * REACH**2))
        return result


def sizes_of(layer: Layer) -> List[float]:
    """Logarithms to the base of two, what the routine's efficiency goes by; a stride weighs twice."""
    values = (layer.inputs, layer.outputs, layer.places, layer.window, layer.stride**2)
    return [math.log2(max(each, 1)) for each in values]


def from_memory(weights: int, kept: int) -> float:
    """The share of a stage's weights that is not near when a call begins: all but `kept` bytes."""
    return max(1 - kept / max(weights, 1), 0.0)
