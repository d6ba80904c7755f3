"""How far a choice of precisions is from fp32, on the same samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TIE = 0.01
"""Where fp32 gives its own label and int8's closer probabilities, it hardly decided: any rounding may turn it over."""


@dataclass(frozen=True)
class Deviation:
    """A choice of layers against fp32: mean Kullback-Leibler divergence in nats, and decisions changed in percent.

    The share is the larger of what changed, near-ties of fp32 aside, and of what would with errors dealt otherwise.
    """

    loss: float
    drop: float


def measure_deviation(expected: NDArray[np.float32], got: NDArray[np.float32]) -> Deviation:
    """Scores (samples, classes) against fp32's; a sample whose scores are not finite is a changed decision."""
    finite = np.asarray(np.isfinite(got).all(axis=1))
    reference = _log_softmax(expected)
    other = _log_softmax(np.where(finite[:, None], got, 0.0))
    # Scores that say nothing are a flat distribution: a finite loss, but larger than any that helps.
    divergence = (np.exp(reference) * (reference - other)).sum(axis=1)
    decided = reference.argmax(axis=1)
    before = _margins(reference, decided)
    after = np.where(finite, _margins(other, decided), -np.inf)
    rows, others = np.arange(len(decided)), other.argmax(axis=1)
    tied = finite & (np.exp(reference[rows, decided]) - np.exp(reference[rows, others]) < TIE)
    changed = ((after < 0) & ~tied).mean()
    drop = 100 * max(changed, _any_to_any(before, after))
    return Deviation(loss=float(max(divergence.mean(), 0.0)), drop=float(drop))


def _margins(scores: NDArray[np.float64], decided: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far each sample's decided label is ahead of the best other one, (samples,)."""
    rows = np.arange(len(scores))
    others = scores.copy()
    others[rows, decided] = -np.inf
    margins: NDArray[np.float64] = scores[rows, decided] - others.max(axis=1)
    return margins


def _any_to_any(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """The share of decisions that change when each sample's margin may meet every sample's error.

    A search that only counts changed decisions learns by heart which errors meet which margins in its few hundred
    samples; on other samples three times as many may change.
    """
    errors = np.sort(after - before)
    return float(np.searchsorted(errors, -before).mean() / len(errors))


def _log_softmax(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    normalised: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised
