"""The coefficients that explain measurements best, between what is believed and what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

STEPS = 80
FLOOR = 0.2
"""Standard deviation of the log of a measurement that the model may miss, whatever its coefficients."""
CLEAR = 0.6
"""Of a log error, from which on it counts less and less: published figures hold mistakes."""

Prior = Mapping[str, Tuple[float, float]]
"""By coefficient, the middle of what is believed and the standard deviation of its log."""


@dataclass(frozen=True)
class Samples:
    """What a model predicts for S measurements, (S,) of coefficients by name; what was measured; the weight of each."""

    predicted: Callable[[Mapping[str, float]], NDArray[np.float64]]
    measured: NDArray[np.float64]
    weights: NDArray[np.float64]


def fit(samples: Samples, prior: Prior, start: Optional[Mapping[str, float]] = None) -> Dict[str, float]:
    """Coefficients by the largest posterior: logs of times with heavy tails, logs of coefficients normal.

    Levenberg and Marquardt, slopes by differences, from `start` where something near is known.
    """
    names = list(prior)
    middle = np.log([prior[name][0] for name in names])
    firm = np.array([prior[name][1] for name in names])

    def residuals(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([_errors(samples, dict(zip(names, np.exp(at).tolist()))), (at - middle) / firm])

    at, damping = middle if start is None else np.log([start[name] for name in names]), 1e-2
    now = residuals(at)
    for _ in range(STEPS):
        slopes = np.stack([(residuals(at + 1e-4 * unit) - now) / 1e-4 for unit in np.eye(len(names))], axis=1)
        square = slopes.T @ slopes
        step = np.linalg.solve(square + damping * np.diag(np.diag(square) + 1e-9), -slopes.T @ now)
        tried = at + np.clip(step, -1.0, 1.0)
        then = residuals(tried)
        gain = float(now @ now - then @ then)
        if gain <= 0:
            damping *= 4
            if damping > 1e9:
                break
            continue
        done = gain < 1e-9 * float(now @ now)
        at, now, damping = tried, then, damping / 3
        if done:
            break
    return dict(zip(names, np.exp(at).tolist()))


def _errors(samples: Samples, found: Mapping[str, float]) -> NDArray[np.float64]:
    """Log errors over their deviation, those beyond CLEAR drawn in (the square root of Geman and McClure's loss)."""
    logs = np.log(samples.predicted(found) / samples.measured)
    drawn: NDArray[np.float64] = np.sqrt(samples.weights) * logs / np.sqrt(1 + (logs / CLEAR) ** 2) / FLOOR
    return drawn
