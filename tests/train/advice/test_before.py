from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, Sequence

import pytest

from edgecvar.clips.labelled import Clip
from edgecvar.train.advice.before import cautions
from edgecvar.train.data.splits import Split
from edgecvar.train.loop import start_run
from edgecvar.train.recipe import Recipe
from tests.train.heard import Heard

pytestmark = pytest.mark.train


def clips(names: Dict[str, Sequence[str]]) -> List[Clip]:
    return [Clip(Path("data") / label / f"{name}.mp4", label) for label, each in names.items() for name in each]


def said(train: Dict[str, Sequence[str]], validation: Dict[str, Sequence[str]]) -> List[str]:
    split = Split(sorted(train), clips(train), clips(validation))
    return cautions(split, split.train, split.validation, [])


PERSONS = {label: [f"s{person}_{place}" for person in range(1, 6) for place in (1, 2)] for label in ("a", "b")}


def test_of_sound_clips_nothing_is_said() -> None:
    assert said(PERSONS, {label: ["s8_1", "s9_1"] for label in ("a", "b")}) == []


def test_few_clips_of_a_class_are_counted() -> None:
    train = {**PERSONS, "b": PERSONS["b"][:4]}
    (line,) = said(train, {label: ["s8_1", "s9_1"] for label in ("a", "b")})
    assert line == "warning: fewer than 5 clips to learn from: b (4); more of them help most"
    many = said({f"c{n:02}": [f"s{n % 3}_1"] for n in range(9)}, {f"c{n:02}": ["s8_1"] for n in range(9)})
    assert "c04 (1) and 4 more; more" in many[0]


def test_a_class_of_one_group_and_groups_on_both_sides_are_named() -> None:
    train = {**PERSONS, "b": [f"s2_{place}" for place in range(6)]}
    lines = said(train, {"a": ["s8_1", "s3_9"], "b": ["s9_1"]})
    assert [line.split(":")[1] for line in lines] == [
        " one group alone to learn from, so its looks may stand for the class",
        " groups by '(?<![A-Za-z])(s\\d+)' are on both sides, so the figures may be too good",
    ]
    assert lines[0].endswith("b (s2)") and lines[1].endswith(": s3")


def test_classes_that_nothing_judges_are_named() -> None:
    assert "no clip validates of b: what" in said(PERSONS, {"a": ["s8_1", "s9_1"]})[0]
    assert said(PERSONS, {})[0].startswith("warning: no clip validates: set validation_fraction=0.25")


def test_training_says_it_and_counts_what_cannot_be_read(
    small: Callable[..., Recipe], moving: Path, tmp_path: Path
) -> None:
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
        for number in (0, 3):
            copy = (moving / label / f"clip_{number}.mp4").read_bytes()
            (tmp_path / label / f"clip_{number}.mp4").write_bytes(copy)
    (tmp_path / "left" / "clip_9.mp4").write_text("no video")
    heard = Heard()
    start_run(small(f"data={tmp_path}", "skip_unreadable=true"), tmp_path / "runs", heard)
    assert heard.matching("warning: ") == [
        "warning: 1 of 5 clips cannot be used and are left out",
        "warning: fewer than 5 clips to learn from: left (1), right (1); more of them help most",
    ]
