"""How sure exits must be, found on scores that are made up."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.compile.exits import (  # noqa: E402
    CONFIDENCES,
    SeenClip,
    leaving_scores,
    lowest_confidences,
)


def one(label, early, whole):
    return SeenClip(label, np.array([[early, whole]], float))


def test_a_picture_leaves_at_the_first_exit_that_is_sure():
    scores = np.array([[[5, 0], [9, 0], [0, 1]], [[1, 0], [9, 0], [0, 1]], [[1, 0], [0, 1], [0, 1]]], float)
    assert leaving_scores(scores, [0.9, 0.9]).tolist() == [[5, 0], [9, 0], [0, 1]]
    assert leaving_scores(scores, [1.0, 0.9]).tolist() == [[9, 0], [9, 0], [0, 1]]
    assert leaving_scores(scores, [1.0, 1.0]).tolist() == [[0, 1]] * 3


def test_the_lowest_confidence_keeps_the_accuracy_as_do_all_above():
    # Sure and right; half sure and wrong, where the whole is right.
    clips = [one(0, [6, 0], [4, 0])] * 9 + [one(1, [1, 0], [0, 2])]
    wrong = 1 / (1 + np.exp(-1.0))  # the confidence of the clip that would be lost
    found = lowest_confidences(clips, consensus=4, max_drop=1.0)
    assert found == [min(each for each in CONFIDENCES if each > wrong)]
    assert lowest_confidences(clips, consensus=4, max_drop=10.0) == [CONFIDENCES[0]]
    hopeless = [one(1, [20, 0], [0, 2])]
    assert lowest_confidences(hopeless, consensus=4, max_drop=1.0) == [1.0]


def test_decisions_count_beside_clips():
    # The clip's mean stays right, and the first of its two decisions does not.
    clip = SeenClip(0, np.array([[[0, 1], [3, 0]], [[9, 0], [9, 0]]], float))
    assert lowest_confidences([clip], consensus=1, max_drop=1.0)[0] > 1 / (1 + np.exp(-1.0))


def test_an_exit_that_is_wrong_does_not_keep_a_later_one_from_being_sure():
    # MV is sure and wrong; MV and R together are as right as the whole.
    clips = [SeenClip(0, np.array([[[0, 9], [1, 0], [2, 0]]], float))] * 3
    assert lowest_confidences(clips, consensus=4, max_drop=1.0) == [1.0, CONFIDENCES[0]]
