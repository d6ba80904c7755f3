"""Each rule speaks where it must, and is silent where nothing is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, List

import numpy as np
import pytest

from edgecvar.clips.labelled import Clip, ClipScore
from edgecvar.judge.advice import Standing, advise
from edgecvar.judge.outcomes import Outcomes, outcomes

LABELS = ["left", "right", "still", "wave"]


def found(rows: List[List[int]], certainty: float = 6.0) -> Outcomes:
    """Of a confusion matrix; each answer as certain as a score of `certainty` above the others makes it."""
    results = [
        ClipScore(Clip(Path(f"{label}.mp4"), label), certainty * np.eye(4)[answer])
        for label, row in zip(LABELS, rows)
        for answer, times in enumerate(row)
        for _ in range(times)
    ]
    return outcomes(LABELS, results)


GOOD = found((25 * np.eye(4, dtype=int)).tolist())
SOUND = Standing(
    epochs=30,
    best_epoch=20,
    train_top1=0.99,
    validation_top1=1.0,
    train_clips=dict.fromkeys(LABELS, 50),
    unreadable=0,
    mirrored=frozenset(),
    outcomes=GOOD,
)


def said(**changes: Any) -> str:
    return "\n".join(advise(replace(SOUND, **changes)))


def test_of_a_sound_run_nothing_stands_out() -> None:
    (line,) = advise(SOUND)
    assert line.startswith("Nothing stands out")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"outcomes": None, "validation_top1": None}, "No clip validates"),
        (
            {"validation_top1": 0.3, "train_top1": 0.4},
            "chance level: 30.0%, and naming the commonest class gets 25.0%. Training has not",
        ),
        ({"validation_top1": 0.3, "train_top1": 0.9}, "Training reaches 90.0%, so clips were learnt by heart"),
        ({"validation_top1": 0.8}, "far below training (80.0% against 99.0%)"),
        ({"validation_top1": 0.6, "train_top1": 0.6}, "Training itself reaches only 60.0%"),
        ({"validation_top1": 0.95, "best_epoch": 30}, "the last of 30"),
        ({"train_clips": {**SOUND.train_clips, "wave": 9}}, "Fewer than 10 clips train wave:"),
        ({"train_clips": {**SOUND.train_clips, "wave": 151}}, "151 clips of wave, 50 of left"),
        ({"outcomes": found(np.eye(4, dtype=int).tolist())}, "Only 4 clips validate: each is 25.0 points"),
        ({"unreadable": 3}, "3 clips could not be read"),
    ],
)
def test_a_rule_speaks(changes: Any, expected: str) -> None:
    lines = advise(replace(SOUND, **changes))
    assert any(expected in line for line in lines)
    assert not any("Nothing stands out" in line for line in lines)


def test_at_chance_is_within_two_standard_errors_of_it() -> None:
    """Of 100 clips and 4 classes: 25 % and 2 x 4.33 points."""
    assert replace(SOUND, validation_top1=0.336).at_chance
    assert not replace(SOUND, validation_top1=0.337).at_chance


def test_chance_is_what_the_commonest_class_gets() -> None:
    uneven = found([[70, 0, 0, 0], [10, 0, 0, 0], [10, 0, 0, 0], [10, 0, 0, 0]])
    assert replace(SOUND, outcomes=uneven, validation_top1=0.7).at_chance
    assert "the commonest class gets 70.0%" in said(outcomes=uneven, validation_top1=0.7)


def test_the_worst_confused_class_is_named_with_what_it_is_taken_for() -> None:
    mixed = found([[20, 5, 0, 0], [15, 10, 0, 0], [0, 0, 25, 0], [0, 0, 0, 25]])
    assert "15 of 25 clips of right are taken for left. Look at these" in said(outcomes=mixed, validation_top1=0.8)
    assert "augment.flip mirrors" in said(outcomes=mixed, validation_top1=0.8, mirrored={"left", "right", "other"})
    other = found([[25, 0, 0, 0], [0, 25, 0, 0], [0, 0, 10, 15], [0, 0, 0, 25]])
    assert "augment.flip" not in said(outcomes=other, validation_top1=0.85, mirrored={"left", "right", "other"})


def test_probabilities_that_say_little_are_told_with_their_side() -> None:
    sure = found([[15, 10, 0, 0], [0, 25, 0, 0], [0, 0, 25, 0], [0, 10, 0, 15]], certainty=20.0)
    assert "higher than they may be" in said(outcomes=sure) and "label_smoothing" in said(outcomes=sure)
    unsure = found((25 * np.eye(4, dtype=int)).tolist(), certainty=0.5)
    assert "lower than they may be" in said(outcomes=unsure) and "label_smoothing" not in said(outcomes=unsure)


def test_of_many_classes_with_few_clips_some_are_named() -> None:
    counts = {f"class_{number}": 3 for number in range(400)}
    (line,) = [line for line in advise(replace(SOUND, train_clips=counts)) if "Fewer than" in line]
    assert "class_4 and 395 more classes" in line and len(line) < 200
