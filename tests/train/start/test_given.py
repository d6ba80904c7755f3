from __future__ import annotations

from pathlib import Path

import pytest

from edgecvar.errors import ConfigError, DatasetError
from edgecvar.train.data.labels import load_split
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.start import given
from edgecvar.train.start.given import Wishes, recipes_for
from edgecvar.train.weights.imagenet import PACKAGES
from tests.train.heard import Heard

pytestmark = pytest.mark.train


def recipe_for(given: str, wishes: Wishes, heard: Heard) -> Recipe:
    """The first."""
    return recipes_for(given, wishes, heard)[0]


@pytest.fixture
def persons(tmp_path: Path) -> Path:
    """Empty files of two classes: eight persons, two clips each."""
    root = tmp_path / "my videos: #1"
    for label in ("jump", "run"):
        (root / label).mkdir(parents=True)
        for person in range(8):
            for take in range(2):
                (root / label / f"s{person}_{take}.mp4").write_bytes(f"{label}{person}{take}".encode())
    return root


def test_a_folder_alone_gives_a_recipe_a_split_and_the_reasons(persons: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "lite0", "no-such-package")
    heard = Heard()
    recipe = recipe_for(str(persons), Wishes(), heard)
    assert recipe.data.source == str(persons) and recipe.data.skip_unreadable
    assert (recipe.data.split_by, recipe.data.validation_fraction) == (r"(?<![A-Za-z])(s\d+)", 0.25)
    assert heard.lines[0] == f"{persons}: 2 classes, 32 clips"
    tried = "auto/motion: motion, 30 epochs"
    assert heard.lines[2].startswith(f"recipe, for up to 1000 clips: {tried}; another")
    assert heard.lines[3].startswith("8 groups by '(?<![A-Za-z])(s\\d+)': s") and "--split-by REGEX" in heard.lines[3]
    split = load_split(recipe.data)
    assert (len(split.train), len(split.validation)) == (24, 8)
    again = parse_recipe(recipe.to_yaml()).data
    assert again == recipe.data and load_split(again).validation == split.validation


def test_the_user_decides(persons: Path) -> None:
    wishes = Wishes(["epochs=3", "skip_unreadable=false"], r"_(\d)\.", 0.5)
    recipe = recipe_for(str(persons), wishes, Heard())
    assert recipe.course.epochs == 3 and not recipe.data.skip_unreadable
    split = load_split(recipe.data)
    assert {clip.path.stem[-1] for clip in split.validation} | {"0", "1"} == {"0", "1"}
    assert len(split.validation) == 16
    told = recipe_for(str(persons), Wishes([r"validation_pattern=s7_"]), Heard())
    assert not told.data.is_drawn and len(load_split(told.data).validation) == 4
    with pytest.raises(ConfigError, match=r"data is .* already; leave data=\.\.\. out"):
        recipe_for(str(persons), Wishes(["data=x"]), Heard())
    with pytest.raises(ConfigError, match="validation_fraction: Input should be less than 1"):
        recipe_for(str(persons), Wishes((), None, 25), Heard())
    with pytest.raises(ConfigError, match="leave them out, or else validation, validation_pattern and split"):
        recipe_for(str(persons), Wishes(["validation_pattern=s7_"], None, 0.3), Heard())


def test_clips_alone_are_tried_with_every_recipe_that_can_start_and_takes_what_is_set(
    persons: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "imagenet_file", lambda name: Path(name))
    motion, appearance = recipes_for(str(persons), Wishes(["epochs=3"]), Heard())
    assert (motion.network.model, appearance.network.model) == ("motion", "attp")
    assert motion.data == appearance.data and motion.course.epochs == appearance.course.epochs == 3
    heard = Heard()
    (alone,) = recipes_for(str(persons), Wishes(["network.width=32"]), heard)
    assert alone.network.model == "motion"
    assert heard.matching("recipe auto/appearance is left out: ") and "width" in "".join(heard.lines)
    with pytest.raises(ConfigError, match="unknown key 'epoch'"):
        recipes_for(str(persons), Wishes(["epoch=3"]), Heard())
    monkeypatch.undo()
    monkeypatch.setitem(PACKAGES, "lite0", "no-such-package")
    assert len(recipes_for(str(persons), Wishes(), heard)) == 1
    assert heard.matching("recipe auto/appearance is left out: weights imagenet: lite0 wants no-such-package, not inst")


def test_a_folder_that_validates_is_used_and_nothing_drawn(persons: Path) -> None:
    root = persons.parent
    persons.rename(root / "train")
    for label in ("jump", "run"):
        (root / "val" / label).mkdir(parents=True)
        (root / "val" / label / "s9.mp4").touch()
    heard = Heard()
    recipe = recipe_for(str(root), Wishes(), heard)
    assert (recipe.data.source, recipe.data.validation) == (str(root / "train"), str(root / "val"))
    assert not recipe.data.is_drawn and len(load_split(recipe.data).validation) == 2
    assert heard.matching(f"{root / 'val'} validates: 2 clips")
    with pytest.raises(ConfigError, match="validates, so nothing is drawn"):
        recipe_for(str(root), Wishes((), None, 0.5), Heard())


@pytest.mark.parametrize("split", [False, True])
def test_a_csv_validates_as_its_split_says_or_is_drawn(persons: Path, split: bool) -> None:
    table = persons / "list.csv"
    lines = ["path,label,split" if split else "path,label"]
    for clip in sorted(persons.glob("*/*.mp4")):
        part = ["validation" if clip.name.startswith("s3") else "train"] if split else []
        lines.append(",".join([f"{clip.parent.name}/{clip.name}", clip.parent.name, *part]))
    table.write_text("\n".join(lines) + "\n")
    recipe = recipe_for(str(table), Wishes(), Heard())
    assert recipe.data.is_drawn != split
    assert len(load_split(recipe.data).validation) == (4 if split else 8)


def test_a_recipe_by_name_is_drawn_only_if_it_is_asked_for(persons: Path) -> None:
    source = f"data='{persons}'"
    drawn = recipe_for("gestures/attp", Wishes([source], None, 0.25), Heard())
    assert drawn.data.validation_pattern is None and drawn.data.split_by == r"(?<![A-Za-z])(s\d+)"
    plain = recipe_for("gestures/attp", Wishes([source]), Heard())
    assert plain.data.validation_pattern is not None and not plain.data.is_drawn
    told = recipe_for("auto/motion", Wishes([source, "validation_pattern=s7_"]), Heard())
    assert not told.data.is_drawn
    with pytest.raises(DatasetError, match="matches no file name there; give one that does, or --validation-fraction"):
        load_split(plain.data)


def test_one_class_or_a_class_without_video_is_an_error(persons: Path) -> None:
    for clip in (persons / "run").iterdir():
        clip.rename(persons / "jump" / f"s9_{clip.name}")
    with pytest.raises(DatasetError, match=r"run: class folder with nothing; put clips in it or remove it"):
        recipe_for(str(persons), Wishes(), Heard())
    (persons / "run" / "deep").mkdir()
    (persons / "run" / "deep" / "1.mp4").touch()
    with pytest.raises(DatasetError, match=r"run: class folder with no video itself, but deeper, .*1\.mp4"):
        recipe_for(str(persons), Wishes(), Heard())
    (persons / "run" / "deep" / "1.mp4").unlink()
    (persons / "run" / "deep").rmdir()
    (persons / "run").rmdir()
    with pytest.raises(DatasetError, match="found only the class 'jump'; two or more"):
        recipe_for(str(persons), Wishes(), Heard())
