from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import pytest

from edgecvar.clips.labelled import Clip
from edgecvar.train.advice.after import remarks
from edgecvar.train.history import EpochRecord

pytestmark = pytest.mark.train

RUN = Path("runs/attp/1")


def epoch(number: int, train: Optional[float], validation: Optional[float]) -> EpochRecord:
    judged = {"validation_loss": None if validation is None else 1.0, "validation_top1": validation}
    return EpochRecord(
        epoch=number,
        lr=0.1,
        train_loss=1,
        train_top1=train,
        **judged,
        clips=9,
        skipped=0,
        damaged=0,
        seconds=1,
        waiting=0,
    )


def after(train: float, validation: Optional[float], clips: int = 100, best: int = 1) -> List[str]:
    records = [epoch(1, train, validation), epoch(2, train, validation)]
    judges = [Clip(Path(f"{n}.mp4"), "abcd"[n % 4]) for n in range(clips)]
    return remarks(records, records[best - 1], judges, RUN)


def test_of_a_good_run_nothing_is_said() -> None:
    assert after(0.95, 0.9) == []
    assert remarks([], None, [], RUN) == []


def test_chance_is_what_the_commonest_class_would_get_and_what_luck_adds() -> None:
    (at_chance, low) = after(0.3, 0.33)
    assert "no better than chance (25.0% by the commonest class, 100 clips)" in at_chance
    assert "edgecvar train --resume runs/attp/1 epochs=4" in at_chance
    assert low.startswith("training itself has reached 30.0% alone")
    assert not [line for line in after(0.4, 0.36) if "chance" in line]
    judges = [Clip(Path("x"), "a" if n < 80 else "b") for n in range(100)]
    record = epoch(1, 0.8, 0.82)
    assert "chance (80.0% by" in remarks([record], record, judges, RUN)[0]


def test_a_gap_to_training_is_learning_by_heart() -> None:
    (line,) = after(0.99, 0.7)
    assert line.startswith("validation (70.0%) is far below training (99.0%): it knows its clips by heart")


def test_a_last_epoch_that_is_best_may_go_on() -> None:
    (line,) = after(0.9, 0.85, best=2)
    assert line == "the last epoch is the best: it may go on for longer: edgecvar train --resume runs/attp/1 epochs=4"


def test_few_clips_judge_coarsely_and_none_not_at_all() -> None:
    assert after(0.95, 0.9, clips=10) == ["10 clips validate: each is 10.0% of the figure"]
    assert after(0.95, None) == [
        "nothing validated, so nobody knows how good it is: train with validation_fraction=0.25"
    ]
