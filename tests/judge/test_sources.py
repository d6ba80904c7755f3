"""Several sources of the same classes, paired by name."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
import pytest

from edgecvar.clips.labelled import Clip, ClipScore
from edgecvar.judge.sources import ScoredSource, compare_sources

LABELS = ["a", "b"]


def taken(name: str, label: str, answer: Optional[str], error: Optional[str] = None) -> ClipScore:
    scores = None if answer is None else np.eye(2)[LABELS.index(answer)]
    return ClipScore(Clip(Path(name), label), scores, error)


FIRST = [taken("1.mp4", "a", "a"), taken("2.mp4", "a", "b"), taken("3.mp4", "b", "b"), taken("1.mp4", "b", "a")]


def test_clips_are_paired_by_class_and_name_without_suffix() -> None:
    second = [
        taken("1.avi", "a", "b"),  # lost
        taken("2.avi", "a", "a"),  # won
        taken("3.avi", "b", "b"),
        taken("1.avi", "b", None),  # changed, and was wrong
        taken("9.avi", "b", "b"),  # without a namesake
    ]
    first, row = compare_sources(LABELS, [ScoredSource("x", FIRST), ScoredSource("y", second)])
    assert (first.name, first.difference, first.paired, first.evaluation.top1) == ("x", None, None, 0.5)
    assert (row.name, row.paired, row.changed, row.lost, row.won) == ("y", 4, 3, 1, 1)
    assert row.difference == pytest.approx(3 / 5 - 1 / 2)


def test_every_source_is_compared_with_the_first() -> None:
    rows = compare_sources(LABELS, [ScoredSource("x", FIRST), ScoredSource("y", FIRST[:1]), ScoredSource("z", FIRST)])
    assert [row.difference for row in rows] == [None, 0.5, 0.0]
    assert [(row.paired, row.changed) for row in rows[1:]] == [(1, 0), (4, 0)]


def test_what_cannot_be_read_or_is_named_twice_is_paired_with_nothing() -> None:
    second = [taken("1.avi", "a", None, "broken"), taken("2.avi", "a", "a"), taken("2.mp4", "a", "a")]
    _, row = compare_sources(LABELS, [ScoredSource("x", FIRST), ScoredSource("y", second)])
    assert row.paired == 0 and row.changed == 0 and row.difference == 0.5


def test_a_source_of_which_nothing_can_be_read_has_no_difference() -> None:
    _, row = compare_sources(LABELS, [ScoredSource("x", FIRST), ScoredSource("y", [taken("1", "a", None, "broken")])])
    assert row.difference is None and row.evaluation.top1 is None and row.paired == 0
