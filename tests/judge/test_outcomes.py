"""What scored clips tell beyond top-1, against counts and means taken by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np
import pytest

from edgecvar.clips.labelled import Clip, ClipScore, RunningAnswers
from edgecvar.judge.evaluate import tally
from edgecvar.judge.outcomes import (
    Confusion,
    accuracy_over_time,
    calibration,
    class_outcomes,
    hardest_clips,
    interval,
    largest_confusions,
    outcomes,
)

LABELS = ["a", "b", "c"]


def scored(label: str, scores: Sequence[float], answers: Optional[RunningAnswers] = None) -> ClipScore:
    return ClipScore(Clip(Path(f"{label}.mp4"), label), np.array(scores, float), answers=answers)


def taken(label: str, answer: str, times: int = 1) -> List[ClipScore]:
    return [scored(label, np.eye(3)[LABELS.index(answer)])] * times


def answers(*pairs: Tuple[float, str]) -> RunningAnswers:
    seconds, classes = zip(*pairs)
    return RunningAnswers(np.array(seconds), np.array([LABELS.index(each) for each in classes]))


def believed(label: str, probability: float) -> ClipScore:
    """A clip taken for "a" with that probability, above a half."""
    return scored(label, [math.log(probability), math.log((1 - probability) / 2), math.log((1 - probability) / 2)])


def test_precision_recall_and_what_a_class_is_most_confused_with() -> None:
    results = [*taken("a", "a", 3), *taken("a", "c", 1), *taken("a", "b", 1), *taken("b", "a", 2), *taken("b", "c", 3)]
    results.append(ClipScore(Clip(Path("x.mp4"), "a"), None))
    first, second, third = class_outcomes(tally(LABELS, results))
    assert (first.clips, first.correct, first.taken) == (6, 3, 5)
    assert first.recall == 3 / 6 and first.precision == 3 / 5
    assert (first.confused_with, first.confused) == ("b", 1)  # of equals the first listed
    assert (second.recall, second.precision, second.confused_with, second.confused) == (0, 0, "c", 3)
    assert (third.clips, third.recall, third.precision, third.confused_with) == (0, None, 0, None)


def test_the_largest_confusions_come_first_and_what_is_right_is_none() -> None:
    results = [*taken("a", "a", 9), *taken("a", "b", 2), *taken("c", "a", 5)]
    assert largest_confusions(tally(LABELS, results), 10) == [Confusion("c", "a", 5), Confusion("a", "b", 2)]
    assert largest_confusions(tally(LABELS, results), 1) == [Confusion("c", "a", 5)]


def test_calibration_is_the_mean_distance_of_confidence_and_accuracy_by_clip() -> None:
    """Three clips at 0.95, one wrong; one at 0.65, right: 3/4 |0.95 - 2/3| + 1/4 |0.65 - 1|."""
    found = calibration(LABELS, [believed("a", 0.95), believed("a", 0.95), believed("b", 0.95), believed("a", 0.65)])
    assert found is not None
    assert [(each.low, each.high, each.clips) for each in found.bins] == [(0.6, 0.7, 1), (0.9, 1.0, 3)]
    assert found.bins[1].confidence == pytest.approx(0.95) and found.bins[1].accuracy == pytest.approx(2 / 3)
    assert found.error == pytest.approx(0.75 * (0.95 - 2 / 3) + 0.25 * 0.35)
    assert found.excess == pytest.approx((3 * 0.95 + 0.65) / 4 - 3 / 4)


def test_a_probability_of_one_has_a_bin_and_no_scores_have_no_calibration() -> None:
    found = calibration(LABELS, [scored("a", [1000, 0, 0])])
    assert found is not None and found.error == 0 and found.bins[0].high == 1
    assert calibration(LABELS, [ClipScore(Clip(Path("x"), "a"), None)]) is None


def test_running_answers_count_at_each_moment_and_the_last_one_stays() -> None:
    results = [
        scored("a", [1, 0, 0], answers((0.4, "b"), (0.6, "a"), (0.9, "a"))),
        scored("b", [1, 0, 0], answers((0.25, "b"), (1.8, "a"))),
        ClipScore(Clip(Path("undecided"), "c"), None),
        ClipScore(Clip(Path("unreadable"), "c"), None, "why"),
    ]
    moments = accuracy_over_time(LABELS, results)
    assert [each.seconds for each in moments] == [0.25, 0.5, 1.0, 1.5, 2.0]
    assert [each.top1 for each in moments] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3, 1 / 3])
    assert [each.running for each in moments] == [2, 2, 1, 1, 0]


def test_clips_that_were_not_run_have_no_accuracy_over_time() -> None:
    assert accuracy_over_time(LABELS, taken("a", "a")) == ()


def test_the_hardest_clips_are_those_of_the_highest_loss() -> None:
    results = [believed("a", 0.9), believed("b", 0.6), believed("b", 0.99), ClipScore(Clip(Path("x"), "a"), None)]
    first, second = hardest_clips(LABELS, results, 2)
    assert (first.clip.label, first.answer) == ("b", "a")
    assert first.confidence == pytest.approx(0.99) and first.probability == pytest.approx(0.005)
    assert first.loss == pytest.approx(-math.log(0.005)) and second.loss == pytest.approx(-math.log(0.2))


def test_scores_far_apart_have_a_finite_loss() -> None:
    (found,) = hardest_clips(LABELS, [scored("b", [5000, 0, 0])])
    assert found.loss == 5000 and found.probability == 0


@pytest.mark.parametrize(
    ("right", "of", "low", "high"), [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (50, 100, 0.4038, 0.5962)]
)
def test_the_interval_is_wilsons(right: int, of: int, low: float, high: float) -> None:
    assert interval(right, of) == pytest.approx((low, high), abs=1e-4)


def test_all_of_it_is_of_the_same_clips() -> None:
    found = outcomes(LABELS, [*taken("a", "a", 2), *taken("b", "a")])
    assert found.evaluation.clips == 3 and found.evaluation.top1 == pytest.approx(2 / 3)
    assert [row.label for row in found.classes] == LABELS
    assert found.calibration is not None and found.moments == () and len(found.hardest) == 3
