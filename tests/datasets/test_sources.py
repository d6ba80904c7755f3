"""What is found in a data set's folder, and what is left out of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List

import pytest

from edgecvar.datasets.sources import find_sources
from edgecvar.errors import DatasetError


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"a")
    return root


def outputs(root: Path) -> List[str]:
    return [each.output for each in find_sources(root, {}).sources]


def left_out(root: Path) -> Dict[str, str]:
    return {each.name: each.reason for each in find_sources(root, {}).left_out}


def test_names_and_folders_stay_and_hidden_ones_are_none(tmp_path: Path) -> None:
    root = put(tmp_path / "d", "b/x.v2_(a)_#1.avi", "a/deep/y.WEBM", "z.mp4", "README.txt", ".git/w.mp4", "a/.v.mp4")
    assert outputs(root) == ["a/deep/y.mp4", "b/x.v2_(a)_#1.mp4", "z.mp4"]
    assert left_out(root) == {}


def test_a_folder_of_numbered_jpegs_is_a_clip(tmp_path: Path) -> None:
    root = put(tmp_path / "d", "7/00001.jpg", "7/00002.JPG", "7.b/1.jpeg", "a/cover.jpg", "a/v.mp4")
    assert outputs(root) == ["7.b.mp4", "7.mp4", "a/v.mp4"]
    assert outputs(root / "7") == ["7.mp4"]


def test_what_would_have_one_name_is_left_out_altogether(tmp_path: Path) -> None:
    root = put(tmp_path / "d", "a/x.avi", "a/x.mp4", "a/y.mp4", "b/x.avi")
    assert outputs(root) == ["a/y.mp4", "b/x.mp4"]
    assert set(left_out(root)) == {"a/x.avi", "a/x.mp4"}
    assert "would be a/x.mp4 as well" in left_out(root)["a/x.avi"]


def test_links_are_followed_inside_the_folder_alone(tmp_path: Path) -> None:
    root = put(tmp_path / "d", "a/x.mp4", "jpegs/1.jpg")
    put(tmp_path / "elsewhere", "secret.mp4", "1.jpg")
    for link, target in (
        ("b", root / "a"),
        ("out", tmp_path / "elsewhere"),
        ("s.mp4", tmp_path / "elsewhere" / "secret.mp4"),
        ("jpegs/2.jpg", tmp_path / "elsewhere" / "1.jpg"),
        ("a/up", root),
        ("gone.mp4", tmp_path / "nowhere"),
        ("itself.mp4", root / "itself.mp4"),
        ("a/note.txt", tmp_path / "elsewhere" / "1.jpg"),
    ):
        (root / link).symlink_to(target)
    os.mkfifo(root / "pipe.mp4")
    assert outputs(root) == ["a/x.mp4", "b/x.mp4"]
    outside = ("out", "s.mp4", "jpegs")
    reasons = left_out(root)
    assert [name for name in outside if "leads outside the folder" in reasons[name]] == list(outside)
    assert {name: why for name, why in reasons.items() if name not in outside} == {
        "a/up": "a link in a circle",
        "b/up": "a link in a circle",
        "gone.mp4": "a link that leads nowhere",
        "itself.mp4": "a link that leads nowhere",
        "pipe.mp4": "not a regular file",
    }


def test_a_name_that_no_document_can_hold_is_left_out(tmp_path: Path) -> None:
    root = put(tmp_path / "d", "x.mp4", "a\udcff.mp4")
    assert outputs(root) == ["x.mp4"]
    assert left_out(root) == {"a\udcff.mp4": "its name is no UTF-8 text; rename it"}


def test_stretches_of_what_is_called_by_its_id_alone(tmp_path: Path) -> None:
    root = put(tmp_path / "d", "a/one.mp4", "a/two.mkv", "a/two_000001_000011.mp4", "a/other.mp4")
    stretches = {"one": [(4, 14)], "two": [(1, 11), (20, 30)], "two_000001_000011": [(0, 1)]}
    found = find_sources(root, stretches)
    assert [(each.output, each.stretch, each.only) for each in found.sources] == [
        ("a/one_000004_000014.mp4", (4, 14), True),
        ("a/other.mp4", None, True),
        ("a/two_000020_000030.mp4", (20, 30), False),
    ]
    assert [each.name for each in found.left_out] == ["a/two.mkv", "a/two_000001_000011.mp4"]


@pytest.mark.parametrize("name", ["", "nowhere", "file"])
def test_a_folder_without_clips_is_an_error(tmp_path: Path, name: str) -> None:
    put(tmp_path, "file")
    with pytest.raises(DatasetError, match=r"no such folder|no video and no folder of numbered JPEGs"):
        find_sources(tmp_path / name, {})
