from __future__ import annotations

from pathlib import Path
from typing import Iterable

import pytest

from edgecvar.errors import DatasetError
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.splits import Split
from edgecvar.train.parts import Data
from edgecvar.train.recipe import parse_recipe

pytestmark = pytest.mark.train


def data_of(source: Path, *overrides: str) -> Data:
    return parse_recipe("model: attp", [f"data={source}", *overrides]).data


def touch(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def names(split: Split, part: str) -> list:
    return [(clip.path.name, clip.label) for clip in getattr(split, part)]


def test_class_folders_come_sorted_and_only_videos_count(tmp_path: Path) -> None:
    touch(tmp_path, ["b/2.mp4", "b/1.avi", "a/3.MKV", "a/notes.txt", "a/.hidden.mp4", ".git/x.mp4", "plan.json"])
    split = load_split(data_of(tmp_path))
    assert split.labels == ["a", "b"]
    assert names(split, "train") == [("3.MKV", "a"), ("1.avi", "b"), ("2.mp4", "b")]
    assert split.validation == []


def test_a_pattern_selects_the_validation_clips(tmp_path: Path) -> None:
    touch(tmp_path, [f"{label}/{label}_{number:02}.mp4" for label in "ab" for number in (1, 11, 12, 19)])
    split = load_split(data_of(tmp_path, r"validation_pattern=_(11|19)\."))
    assert names(split, "train") == [("a_01.mp4", "a"), ("a_12.mp4", "a"), ("b_01.mp4", "b"), ("b_12.mp4", "b")]
    assert [name for name, _ in names(split, "validation")] == ["a_11.mp4", "a_19.mp4", "b_11.mp4", "b_19.mp4"]


def test_another_folder_validates_with_the_same_labels(tmp_path: Path) -> None:
    train = touch(tmp_path / "train", ["a/1.mp4", "b/1.mp4", "c/1.mp4"])
    validation = touch(tmp_path / "val", ["b/9.mp4"])
    split = load_split(data_of(train, f"validation={validation}"))
    assert names(split, "validation") == [("9.mp4", "b")]


def test_a_csv_gives_paths_labels_and_splits(tmp_path: Path) -> None:
    touch(tmp_path, ["clips/1.mp4", "clips/2.mp4", "3.mp4"])
    table = tmp_path / "list.csv"
    table.write_text("path, label ,split\nclips/2.mp4,run,\n\n3.mp4,walk,train\nclips/1.mp4,run,validation\n")
    split = load_split(data_of(table))
    assert names(split, "train") == [("2.mp4", "run"), ("3.mp4", "walk")]
    assert names(split, "validation") == [("1.mp4", "run")]
    assert split.train[0].path == tmp_path / "clips" / "2.mp4"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_csv_has_any_systems_line_ends(tmp_path: Path, end: str) -> None:
    table = touch(tmp_path, ["1.mp4", "2.mp4"]) / "list.csv"
    table.write_bytes(end.join(["path,label", "1.mp4,a", '2.mp4,"b,c"', ""]).encode())
    assert names(load_split(data_of(table)), "train") == [("1.mp4", "a"), ("2.mp4", "b,c")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "list.csv:1: expected a header"),
        ("file,class\n", "list.csv:1: expected a header"),
        ("path,label\n", "no rows"),
        ("path,label\n1.mp4,a\ngone.mp4,b\n", "list.csv:3: no such file"),
        ("path,label\n1.mp4\n", "list.csv:2: got 1 values, expected 2"),
        ("path,label\n1.mp4,\n", "list.csv:2: the label is empty"),
        ("path,label,split\n1.mp4,a,valdiation\n", "list.csv:2: unknown split 'valdiation': did you mean 'validation'"),
        ("path,label\n1.mp4,a\n", "found only the class 'a'"),
        ("path,label,split\n1.mp4,a,train\n1.mp4,b,validation\n", "every clip of class 'b' validates"),
    ],
)
def test_a_wrong_csv_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    touch(tmp_path, ["1.mp4"])
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DatasetError) as caught:
        load_split(data_of(tmp_path / "list.csv"))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("files", "overrides", "said"),
    [
        ([], [], "no class folders"),
        (["1.mp4"], [], "no class folders"),
        (["a/1.mp4"], [], "found only the class 'a'"),
        (["a/1.mp4", "b/notes.txt"], [], "no file that is a video"),
        (["a/1.mp4", "b/2.mp4"], ["validation_pattern=x"], "matches no file name"),
        (["a/1.mp4", "b/2.mp4"], ["validation_pattern=2"], "every clip of class 'b' validates"),
    ],
)
def test_a_wrong_folder_is_told(tmp_path: Path, files: list, overrides: list, said: str) -> None:
    with pytest.raises(DatasetError) as caught:
        load_split(data_of(touch(tmp_path, files), *overrides))
    assert said in str(caught.value)


def test_a_missing_folder_says_what_to_do() -> None:
    with pytest.raises(DatasetError, match=r"edgecvar synth data/synth/none"):
        load_split(data_of(Path("data/synth/none")))
    with pytest.raises(DatasetError, match="data=FOLDER"):
        load_split(data_of(Path("nowhere")))


def test_a_validation_class_that_was_never_trained_is_named(tmp_path: Path) -> None:
    train = touch(tmp_path / "train", ["a/1.mp4", "b/1.mp4"])
    validation = touch(tmp_path / "val", ["c/9.mp4"])
    with pytest.raises(DatasetError, match="class 'c' is not among the 2 classes"):
        load_split(data_of(train, f"validation={validation}"))


def test_missing_synthetic_clips_are_never_those_that_train() -> None:
    said = {}
    for part in ("train", "val", "test"):
        with pytest.raises(DatasetError) as error:
            load_split(data_of(Path("data/synth") / part))
        said[part] = str(error.value).split(" --seed ")[1].split("`")[0]
    assert said == {"train": "1", "val": "2", "test": "101"}
