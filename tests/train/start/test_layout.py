from __future__ import annotations

from pathlib import Path
from typing import Iterable

import pytest

from edgecvar.errors import DatasetError
from edgecvar.train.start.layout import Places, find_places, is_data

pytestmark = pytest.mark.train


def touch(root: Path, names: Iterable[str]) -> Path:
    root.mkdir(exist_ok=True)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_a_folder_or_a_csv_is_data_and_the_rest_is_none(tmp_path: Path) -> None:
    assert is_data(str(tmp_path)) and is_data("anything.CSV")
    assert not is_data("recipe.yaml") and not is_data("gestures/attp")


def test_class_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    touch(tmp_path, ["left/1.mp4", "right/1.mp4", "notes/plan.txt"])
    assert find_places(tmp_path) == Places(tmp_path)
    assert find_places(tmp_path / "list.csv") == Places(tmp_path / "list.csv")
    (tmp_path / "stray.mp4").touch()
    assert find_places(tmp_path).left_out == (tmp_path / "stray.mp4",)


@pytest.mark.parametrize(("train", "val"), [("train", "val"), ("Training", "valid"), ("train", "test")])
def test_train_and_its_judge_are_found_by_name(tmp_path: Path, train: str, val: str) -> None:
    touch(tmp_path, [f"{part}/{label}/1.mp4" for part in (train, val) for label in "ab"])
    assert find_places(tmp_path) == Places(tmp_path / train, tmp_path / val)


def test_of_several_judges_the_first_is_taken_and_the_others_are_told(tmp_path: Path) -> None:
    touch(tmp_path, [f"{part}/a/1.mp4" for part in ("train", "test", "validation")])
    places = find_places(tmp_path)
    assert (places.validation, places.left_out) == (tmp_path / "validation", (tmp_path / "test",))
    touch(tmp_path / "alone", ["train/a/1.mp4"])
    assert find_places(tmp_path / "alone") == Places(tmp_path / "alone" / "train")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    touch(tmp_path, ["train/1.mp4", "bus/1.mp4"])
    assert find_places(tmp_path) == Places(tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "empty; expected a folder a class, "),
        (["1.mp4", "2.avi"], "2 videos lie in it itself, and no class folder holds one; expected "),
        (["a/notes.txt"], "no video in it by suffix (.mp4, "),
        (["clips/a/1.mp4", "clips/b/1.mp4"], "the class folders lie deeper, in "),
        (["x/y/a/1.mp4"], "its videos lie too deep, as "),
        (["synth/attp.yaml"], "a folder of recipes, not of clips; name one of them, as "),
        (["recipe.yaml", "last.pt"], "the folder of a run, not of clips; go on with it: edgecvar train --resume "),
        (["manifest.json", "onnx/a.onnx"], "a bundle, not a folder of clips; expected "),
    ],
)
def test_what_is_no_data_set_is_told_what_it_is(tmp_path: Path, files: list, said: str) -> None:
    with pytest.raises(DatasetError) as caught:
        find_places(touch(tmp_path / "given", files))
    assert str(caught.value).startswith(f"{tmp_path / 'given'}: {said}") and "\n" not in str(caught.value)
