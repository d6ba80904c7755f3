"""Costs fitted to what was measured: least squares of relative errors, none of them negative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.predict.host.cost import PARTS, Features, Reference

FOUR_OF_FIVE = 80
"""Per cent of the errors that lie within what is stated."""


@dataclass(frozen=True)
class Timed:
    """One part of the work as it was measured: milliseconds, and what was counted; `of` names the stream."""

    part: str
    of: str
    features: Features
    ms: float


def fit_host(timed: Sequence[Timed], processor: str, how: str) -> Reference:
    """The costs of all parts; raises ValueError where one of them was not measured."""
    nanoseconds: Dict[str, Dict[str, float]] = {}
    errors: Dict[str, float] = {}
    for part in PARTS:
        rows = [each for each in timed if each.part == part]
        if not rows:
            raise ValueError(f"nothing was measured of {part!r}")
        nanoseconds[part] = _fitted(rows)
        ratios = [abs(np.log(_predicted(nanoseconds[part], each) / each.ms)) for each in rows]
        errors[part] = float(np.exp(np.percentile(ratios, FOUR_OF_FIVE)))
    return Reference(processor=processor, how=how, nanoseconds=nanoseconds, errors=errors)


def _fitted(rows: Sequence[Timed]) -> Dict[str, float]:
    names: List[str] = sorted({name for each in rows for name in each.features})
    counted = np.array([[each.features.get(name, 0.0) for name in names] for each in rows])
    times = np.array([each.ms * 1e6 for each in rows])
    costs = least_squares(counted / times[:, None], np.ones(len(rows)))
    return {name: float(f"{cost:.4g}") for name, cost in zip(names, costs)}


def _predicted(costs: Mapping[str, float], each: Timed) -> float:
    return max(sum(costs[name] * count for name, count in each.features.items()) / 1e6, 1e-9)


def least_squares(rows: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x >= 0 (columns) for which rows @ x is nearest to the targets (Lawson and Hanson 1974, chapter 23).

    Columns may differ by orders of magnitude, as counts of pixels and of pictures do.
    """
    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0] = 1
    rows = rows / scale
    x = np.zeros(rows.shape[1])
    free = np.zeros(rows.shape[1], np.bool_)
    for _ in range(10 * rows.shape[1]):
        gain = rows.T @ (targets - rows @ x)
        gain[free] = -np.inf
        if free.all() or gain.max() <= 1e-10:
            break
        free[gain.argmax()] = True
        x = _within(rows, targets, x, free)
    return np.asarray(x / scale)


def _within(
    rows: NDArray[np.float64], targets: NDArray[np.float64], x: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The nearest of the free columns, after those that would turn negative were bound at zero."""
    while True:
        best = np.zeros_like(x)
        best[free] = np.linalg.lstsq(rows[:, free], targets, rcond=None)[0]
        under = free & (best <= 0)
        if not under.any():
            return best
        step = float(np.min(x[under] / np.maximum(x[under] - best[under], 1e-300)))
        x = x + step * (best - x)
        free &= x > 1e-15
        x = np.where(free, x, 0.0)
