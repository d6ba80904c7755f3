"""What a page says first."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Tuple

import numpy as np

from edgecvar.cli.report.page.outcome_facts import outcome_facts, shown_clips, soon_fact
from edgecvar.cli.report.page.report import Timing
from edgecvar.clips.labelled import Clip, ClipScore
from edgecvar.judge.outcomes import HardClip, Moment, outcomes


def facts(*answers: Tuple[str, int]) -> Dict[str, Tuple[str, str]]:
    results = [ClipScore(Clip(Path("x.mp4"), label), np.eye(2)[answer]) for label, answer in answers]
    return {fact.name: (fact.value, fact.note) for fact in outcome_facts(outcomes(["a", "b"], results))}


def test_top_1_has_its_interval_and_the_hardest_class_is_one_that_is_not_always_right() -> None:
    found = facts(("a", 0), ("a", 0), ("b", 0), ("b", 1))
    assert found["top-1"] == ("75.0%", "3 of 4 clips; 95 %: 30% to 95%")
    assert found["chance"] == ("50.0%", "the commonest of 2 classes")
    assert found["hardest class"] == ("50.0%", "of 2 clips of b")
    assert list(facts(("a", 0), ("b", 1))) == ["top-1", "chance"]
    assert facts(("a", 0), ("b", 1), ("b", 1), ("b", 0))["chance"][0] == "75.0%"
    assert facts() == {"top-1": ("-", "no clip could be judged")}


def test_an_answer_settles_where_it_is_nearly_as_often_right_as_at_the_end() -> None:
    moments = [Moment(0.5, 0.5, 9), Moment(1.0, 0.77, 9), Moment(2.0, 0.75, 4), Moment(3.0, 0.8, 0)]
    found = soon_fact(Timing(moments, "", 0.25))
    assert found is not None and (found.value, found.note) == ("1 s", "then 77.0%, at the end 80.0%")
    assert soon_fact(Timing(moments, "", 0.8)) is None
    assert soon_fact(None) is None and soon_fact(Timing([], "", None)) is None


def test_a_clip_that_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    (shown,) = shown_clips([HardClip(Clip(tmp_path / "gone.mp4", "a"), "b", 0.9, 0.1, 2.3)])
    assert shown.pictures is None and shown.note.startswith("no pictures: ") and "gone.mp4" in shown.note
