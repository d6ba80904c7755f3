"""What scored clips tell beyond top-1: classes, confusions, calibration, how soon the answer is right, the hardest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.labelled import Clip, ClipScore
from edgecvar.judge.evaluate import Evaluation, tally
from edgecvar.run.decisions import softmax

BINS = 10
"""Of confidence, equally wide."""
HARDEST = 8
MOMENTS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)
"""Seconds after which a clip is asked what it is taken for."""


@dataclass(frozen=True)
class ClassOutcome:
    """One class: its clips, how many were right, how many of all classes were `taken` for it.

    `confused_with` is what its clips are taken for most often when they are not right, `confused` times.
    """

    label: str
    clips: int
    correct: int
    taken: int
    confused_with: Optional[str]
    confused: int

    @property
    def recall(self) -> Optional[float]:
        return self.correct / self.clips if self.clips else None

    @property
    def precision(self) -> Optional[float]:
        return self.correct / self.taken if self.taken else None


@dataclass(frozen=True)
class Confusion:
    """So many `clips` of a class that were taken for another one."""

    label: str
    answer: str
    clips: int


@dataclass(frozen=True)
class ConfidenceBin:
    """The clips whose best probability is from `low` to `high`: its mean, and the part of them that is right."""

    low: float
    high: float
    clips: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Bins that have clips; `error` (ECE) is the mean distance of confidence and accuracy, by clip (Guo et al. 2017).

    `excess`: mean confidence less accuracy; above 0 the network is surer than it may be.
    """

    bins: Tuple[ConfidenceBin, ...]
    error: float
    excess: float


@dataclass(frozen=True)
class Moment:
    """After so many seconds of video, the part of all readable clips whose answer was right; `running` go on then."""

    seconds: float
    top1: float
    running: int


@dataclass(frozen=True)
class HardClip:
    """A clip, what it was taken for with which probability, the probability of its label, and that one's loss."""

    clip: Clip
    answer: str
    confidence: float
    probability: float
    loss: float


@dataclass(frozen=True)
class Outcomes:
    """All of it, of one set of clips."""

    evaluation: Evaluation
    classes: Tuple[ClassOutcome, ...]
    calibration: Optional[Calibration]
    moments: Tuple[Moment, ...]
    hardest: Tuple[HardClip, ...]


def outcomes(labels: Sequence[str], results: Sequence[ClipScore]) -> Outcomes:
    """Everything that the clips' scores and their answers over time tell."""
    evaluation = tally(labels, results)
    return Outcomes(
        evaluation=evaluation,
        classes=class_outcomes(evaluation),
        calibration=calibration(labels, results),
        moments=accuracy_over_time(labels, results),
        hardest=hardest_clips(labels, results),
    )


def class_outcomes(evaluation: Evaluation) -> Tuple[ClassOutcome, ...]:
    """In the order of the labels; of equally frequent confusions the label listed first."""
    taken = evaluation.confusion.sum(axis=0)
    rows = []
    for number, label in enumerate(evaluation.labels):
        wrong = evaluation.confusion[number].copy()
        wrong[number] = 0
        other, times = int(wrong.argmax()), int(wrong.max())
        confused_with = evaluation.labels[other] if times else None
        rows.append(ClassOutcome(label, *evaluation.of_label(label), int(taken[number]), confused_with, times))
    return tuple(rows)


def largest_confusions(evaluation: Evaluation, count: int) -> List[Confusion]:
    """At most so many pairs of classes, the most frequent first."""
    wrong = evaluation.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = wrong.ravel().argsort(kind="stable")[::-1][:count]
    labels, size = evaluation.labels, len(wrong)
    pairs = [(int(place) // size, int(place) % size) for place in order]
    return [Confusion(labels[i], labels[j], int(wrong[i, j])) for i, j in pairs if wrong[i, j]]


def calibration(labels: Sequence[str], results: Sequence[ClipScore], bins: int = BINS) -> Optional[Calibration]:
    """How far the best probability can be believed; None where no clip has scores."""
    judged = [(softmax(each.scores), each.clip.label) for each in results if each.scores is not None]
    if not judged:
        return None
    confidence = np.array([probabilities.max() for probabilities, _ in judged])
    right = np.array([labels[int(probabilities.argmax())] == label for probabilities, label in judged], float)
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    filled = []
    for place in range(bins):
        inside = places == place
        if inside.any():
            means = float(confidence[inside].mean()), float(right[inside].mean())
            filled.append(ConfidenceBin(place / bins, (place + 1) / bins, int(inside.sum()), *means))
    error = sum(each.clips * abs(each.confidence - each.accuracy) for each in filled) / len(judged)
    return Calibration(tuple(filled), float(error), float((confidence - right).mean()))


def accuracy_over_time(labels: Sequence[str], results: Sequence[ClipScore]) -> Tuple[Moment, ...]:
    """Top-1 of the clips' running answers at MOMENTS, up to the first at which all are over; () where none was run.

    A clip that is over keeps its last answer; one without an answer yet, or for good, counts as wrong.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    readable = [each for each in results if each.error is None]
    runs = [(each.answers, numbers[each.clip.label]) for each in readable if each.answers is not None]
    if not runs:
        return ()
    moments: List[Moment] = []
    for seconds in MOMENTS:
        right = sum(answers.after(seconds) == label for answers, label in runs)
        running = sum(bool(answers.seconds[-1] > seconds) for answers, _ in runs)
        moments.append(Moment(seconds, right / len(readable), running))
        if not running:
            break
    return tuple(moments)


def hardest_clips(labels: Sequence[str], results: Sequence[ClipScore], count: int = HARDEST) -> Tuple[HardClip, ...]:
    """At most so many clips, those of the highest cross-entropy first."""
    numbers = {label: number for number, label in enumerate(labels)}
    hard = []
    for each in results:
        if each.scores is not None:
            probabilities, loss = softmax(each.scores), _loss(each.scores, numbers[each.clip.label])
            best = int(probabilities.argmax())
            hard.append(HardClip(each.clip, labels[best], float(probabilities[best]), math.exp(-loss), loss))
    return tuple(sorted(hard, key=lambda clip: -clip.loss)[:count])


def _loss(scores: NDArray[np.float64], label: int) -> float:
    """Cross-entropy, finite however far apart scores (classes,) are."""
    shifted = scores - scores.max()
    return math.log(np.exp(shifted).sum()) - float(shifted[label])


def interval(right: int, of: int) -> Tuple[float, float]:
    """Between which parts the true one lies, at 95 % (Wilson 1927); of at least one."""
    z = 1.96
    part, spread = right / of, z * z / of
    middle = part + spread / 2
    reach = z * math.sqrt(part * (1 - part) / of + spread / (4 * of))
    return max(0.0, (middle - reach) / (1 + spread)), min(1.0, (middle + reach) / (1 + spread))
