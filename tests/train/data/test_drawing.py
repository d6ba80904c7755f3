from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Set

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edgecvar.clips.labelled import Clip
from edgecvar.errors import ConfigError, DatasetError
from edgecvar.train.data.drawing import Draw, draw_validation
from edgecvar.train.data.groups import CLIPS, NUMBERS
from edgecvar.train.data.labels import load_split
from edgecvar.train.recipe import parse_recipe

pytestmark = pytest.mark.train

PERSON = r"(s\d+)_"


def of_persons(persons: Dict[str, str]) -> List[Clip]:
    """One clip a letter: of the class so called, by the person."""
    clips = [
        Clip(Path("data") / label / f"{person}_{number}.mp4", label)
        for person, labels in persons.items()
        for number, label in enumerate(labels)
    ]
    return sorted(clips, key=lambda clip: (clip.label, clip.path))


def classes(clips: List[Clip], draw: Draw, validates: bool) -> Set[str]:
    return {clip.label for clip, chosen in zip(clips, draw.validates) if chosen == validates}


def test_whole_groups_validate_and_every_class_is_on_both_sides() -> None:
    """Of class c two persons have a clip, so one of the two validates and the other does not."""
    persons = {f"s{number}": "aab" for number in range(10)}
    persons.update(s3="aabc", s8="abc")
    clips = of_persons(persons)
    for seed in range(20):
        draw = draw_validation(clips, PERSON, 0.25, seed)
        assert len({*draw.validating} & {"s3", "s8"}) == 1
        assert classes(clips, draw, True) == classes(clips, draw, False) == {"a", "b", "c"}
        assert all(chosen == (group in draw.validating) for group, chosen in zip(draw.groups, draw.validates))
        assert 0.15 <= sum(draw.validates) / len(clips) <= 0.4


def test_a_group_that_is_all_of_a_class_never_validates() -> None:
    clips = of_persons({"s1": "aab", "s2": "ab", "s3": "aabcc", "s4": "ab"})
    for seed in range(20):
        assert "s3" not in draw_validation(clips, PERSON, 0.25, seed).validating


def test_another_seed_draws_others_and_the_same_one_the_same() -> None:
    clips = of_persons({f"s{number}": "ab" for number in range(12)})
    draws = [draw_validation(clips, PERSON, 0.25, seed).validating for seed in range(8)]
    assert len({tuple(draw) for draw in draws}) > 2 and {len(draw) for draw in draws} == {3}
    assert draws == [draw_validation(clips, PERSON, 0.25, seed).validating for seed in range(8)]


@given(
    some.lists(some.text("abcd", min_size=1, max_size=6), min_size=2, max_size=12),
    some.floats(0.05, 0.6),
    some.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_a_draw_leaves_every_class_something_to_learn_from(persons: List[str], fraction: float, seed: int) -> None:
    clips = of_persons({f"s{number}": labels for number, labels in enumerate(persons)})
    draw = draw_validation(clips, PERSON, fraction, seed)
    alone = {group for group in draw.groups if any(_is_all_of(clips, draw, group, clip.label) for clip in clips)}
    if len(alone) < len(set(draw.groups)):
        assert classes(clips, draw, False) == {clip.label for clip in clips}
        assert any(draw.validates)
    assert not all(draw.validates)


def _is_all_of(clips: List[Clip], draw: Draw, group: str, label: str) -> bool:
    return {mine for clip, mine in zip(clips, draw.groups) if clip.label == label} == {group}


def test_clips_by_themselves_are_drawn_in_each_class() -> None:
    clips = [Clip(Path("data") / label / f"{name}.mp4", label) for label in "ab" for name in "stuvwxyz"]
    clips.append(Clip(Path("data/c/s.mp4"), "c"))  # which is needed to learn from
    draw = draw_validation(clips, None, 0.25, 0)
    assert draw.rule == CLIPS and sum(draw.validates) == 4 and not draw.validates[-1]
    assert sum(draw.validates[:8]) == 2
    assert draw.told() == "no groups: 4 of 17 clips, drawn one by one in each class, validate"


def test_it_is_told_plainly() -> None:
    persons = of_persons({f"s{number}": "ab" for number in range(8, 12)})
    told = draw_validation(persons, PERSON, 0.5, 0).told()
    assert told.startswith("4 groups by '(s\\d+)_': s") and told.endswith(" validate (4 of 8 clips)")
    counted = [Clip(Path("data") / label / f"{n}.mp4", label) for label in "ab" for n in range(1, 9)]
    draw = draw_validation(counted, None, 0.25, 1)
    assert draw.rule == NUMBERS
    (stretch,) = draw.validating
    assert f"neighbours stay together: {stretch} validate (4 of 16 clips)" in draw.told()


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DatasetError, match=r"all 3 clips are of one group \(s1\) by .* give another split_by"):
        draw_validation(of_persons({"s1": "aab"}), PERSON, 0.25, 0)


def touch(root: Path) -> Path:
    for clip in of_persons({f"s{number}": "ab" for number in range(6)}):
        (root / clip.label).mkdir(parents=True, exist_ok=True)
        (root / clip.label / clip.path.name).touch()
    return root


def test_a_recipe_draws_the_same_again_from_its_resolved_copy(tmp_path: Path) -> None:
    recipe = parse_recipe("model: attp", [f"data={touch(tmp_path)}", "validation_fraction=0.3", "split_seed=2"])
    split = load_split(recipe.data)
    assert split.draw is not None and len(split.validation) == 4 and len(split.train) == 8
    assert {clip.path.name[:2] for clip in split.validation} & {clip.path.name[:2] for clip in split.train} == set()
    again = load_split(parse_recipe(recipe.to_yaml(), [f"split_by={split.draw.rule}"]).data)
    assert again.validation == split.validation


def test_there_is_one_way_to_validate(tmp_path: Path) -> None:
    for other in ("validation=x", "validation_pattern=x", "split={format: ucf101, files: x}"):
        with pytest.raises(ConfigError, match="split_by and validation_fraction draw the clips that validate"):
            parse_recipe("model: attp", ["data=x", "split_by=numbers", other])
    for wrong, said in (("s1", "with a group in parentheses"), ("(", "not a regular expression")):
        with pytest.raises(ConfigError, match=said):
            parse_recipe("model: attp", ["data=x", f"split_by={wrong}"])
    with pytest.raises(ConfigError, match="validation_fraction: Input should be less than 1"):
        parse_recipe("model: attp", ["data=x", "validation_fraction=25"])
    (tmp_path / "1.mp4").touch()
    table = tmp_path / "list.csv"
    table.write_text("path,label,split\n1.mp4,a,\n1.mp4,b,\n1.mp4,b,validation\n")
    with pytest.raises(DatasetError, match="its column split says what validates: leave split_by"):
        load_split(parse_recipe("model: attp", [f"data={table}", "validation_fraction=0.2"]).data)
