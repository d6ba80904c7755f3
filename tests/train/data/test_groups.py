from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Dict, List

import pytest

from edgecvar.clips.labelled import Clip, class_clips
from edgecvar.errors import DatasetError
from edgecvar.train.data.groups import CLIPS, NUMBERS, find_rule, groups_of

pytestmark = pytest.mark.train


def clips_named(names: Dict[str, List[str]]) -> List[Clip]:
    return [Clip(Path("data") / label / name, label) for label, several in names.items() for name in several]


def of_two(name: Callable[[str, int, int], str]) -> List[Clip]:
    """Clips of two classes, six groups of three in each, named by class, group and clip."""
    named = {label: [name(label, g, c) for g in range(1, 7) for c in range(1, 4)] for label in ("jump", "run")}
    return clips_named(named)


@pytest.mark.parametrize(
    ("name", "third"),
    [
        (lambda label, g, c: f"s{g:02}_{g * 1000 + c}.mp4", "s01"),  # persons, then the time
        (lambda label, g, c: f"v_{label}_g{g:02}_c{c:02}.avi", "g01"),  # UCF-101
        (lambda label, g, c: f"person{g:02}_{label}_d{c}.avi", "person01"),  # KTH
        (lambda label, g, c: f"S001C00{c}P{g:03}R001A00{len(label)}.avi", "P001"),  # NTU
        (lambda label, g, c: f"{label}_{g}_{c}.mp4", "1"),  # bare numbers, the first of which is shared in a class
        (lambda label, g, c: f"{label}_take{g}_{c}.mp4", "take1"),  # letters that are no known word
    ],
)
def test_groups_are_found_in_the_names_that_data_sets_use(name: Callable[[str, int, int], str], third: str) -> None:
    clips = of_two(name)
    rule = find_rule(clips)
    assert re.compile(rule).groups == 1
    groups = groups_of(clips, rule, 0.25)
    assert len(set(groups)) == 6 and groups[2] == third
    assert all(len(set(groups[start : start + 3])) == 1 for start in range(0, 36, 3))


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (lambda label, g, c: f"{label[:2]}{3 * g + c:03}.mp4", NUMBERS),  # each class has counted its clips
        (lambda label, g, c: f"{label}_{3 * g + c}.mp4", NUMBERS),
        (lambda label, g, c: f"clip{3 * g + c}.mp4", NUMBERS),
        (lambda label, g, c: f"{chr(96 + g)}{chr(96 + c)}{label}.mp4", CLIPS),
        (lambda label, g, c: f"s1_{3 * g + c}.mp4", NUMBERS),  # one person made all of them
        (lambda label, g, c: f"s{g % 2}_{3 * g + c}.mp4", NUMBERS),  # two are too few to validate on one
        (lambda label, g, c: f"s{len(label)}_{3 * g + c}.mp4", NUMBERS),  # it names the class
    ],
)
def test_numbers_that_name_no_group_count_clips(name: Callable[[str, int, int], str], rule: str) -> None:
    assert find_rule(of_two(name)) == rule


def test_a_scene_that_every_class_has_once_stays_whole() -> None:
    """Numbers are cut at the same places in every class, also where one lacks some of them."""
    names = {label: [f"{label}_{n:02}.mp4" for n in range(1, 17)] for label in ("left", "right", "up")}
    names["up"] = names["up"][5:]
    clips = clips_named(names)
    groups = groups_of(clips, NUMBERS, 0.25)
    stretches = {group: [clip for clip, mine in zip(clips, groups) if mine == group] for group in groups}
    assert list(stretches) == ["1 to 4", "5 to 8", "9 to 12", "13 to 16"]
    assert {clip.path.stem[-2:] for clip in stretches["5 to 8"]} == {"05", "06", "07", "08"}


def test_classes_that_count_on_from_each_other_are_cut_each_by_itself() -> None:
    clips = clips_named({"a": [f"{n}.mp4" for n in range(1, 9)], "b": [f"{n}.mp4" for n in range(9, 17)]})
    groups = groups_of(clips, NUMBERS, 0.25)
    assert groups[:2] == ["a 1 to 2"] * 2 and groups[-2:] == ["b 15 to 16"] * 2
    assert len(set(groups)) == 8


def test_many_numbers_validate_in_two_stretches_of_half_the_length() -> None:
    clips = clips_named({label: [f"{label}{n:03}.mp4" for n in range(80)] for label in "ab"})
    assert len(set(groups_of(clips, NUMBERS, 0.25))) == 8
    assert len(set(groups_of(clips, NUMBERS, 0.1))) == 10


def test_a_name_that_a_rule_does_not_fit_is_named() -> None:
    clips = clips_named({"a": ["s1_1.mp4", "x.mp4"]})
    with pytest.raises(DatasetError, match=r"x\.mp4: split_by '\(s\\\\d\)' finds no group in this name"):
        groups_of(clips, r"(s\d)", 0.25)
    with pytest.raises(DatasetError, match=r"x\.mp4: split_by numbers wants names that end in a number"):
        groups_of(clips, NUMBERS, 0.25)


@pytest.mark.real_media
def test_real_names_show_what_their_readme_says(media: Path) -> None:
    rules = {}
    for name in ("yoga", "fight", "egogestures"):
        rules[name] = find_rule([clip for clips in class_clips(media / name).values() for clip in clips])
    assert rules == {"yoga": r"(?<![A-Za-z])(s\d+)", "fight": NUMBERS, "egogestures": NUMBERS}
