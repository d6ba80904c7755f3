"""The same bytes for two things are found, and of the others hardly a byte is read."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List

import pytest

from edgecvar.clips.labelled import Clip
from edgecvar.errors import DatasetError
from edgecvar.train.data import repeats
from edgecvar.train.data.repeats import ENDS, check_repeats, same_content
from edgecvar.train.data.splits import Split
from edgecvar.train.loop import start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe

pytestmark = pytest.mark.train


def files(folder: Path, contents: Dict[str, bytes]) -> List[Path]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def split(train: Dict[str, Path], validation: Dict[str, Path]) -> Split:
    parts = [[Clip(path, name.split()[0]) for name, path in part.items()] for part in (train, validation)]
    return Split(["left", "right"], *parts)


def test_files_of_the_same_bytes_are_found_whatever_they_are_called(tmp_path: Path) -> None:
    long = bytes(range(256)) * 1024
    middle = long[: 2 * ENDS] + b"!" + long[2 * ENDS + 1 :]
    a, b, c, d, e, f = files(tmp_path, {"a": b"1", "b": b"2", "c": b"1", "d": long, "e": middle, "f": long})
    assert same_content([a, b, c, d, e, f, tmp_path / "gone"]) == [[a, c], [d, f]]


def test_hardly_a_byte_is_read_of_files_that_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = files(tmp_path, {"one": b"1", "two": b"2", "other": b"other"})
    for path, size in zip(paths, (1 << 40, 1 << 40, 1 << 41)):
        with path.open("r+b") as sparse:
            sparse.truncate(size)
    monkeypatch.setattr(repeats, "sha256_of", lambda path: pytest.fail(f"{path} was read whole"))
    assert same_content(paths) == []


def test_two_classes_or_both_parts_are_a_clash_and_twice_in_a_class_is_none(tmp_path: Path) -> None:
    a, b, other = files(tmp_path, {"a": b"1", "b": b"1", "other": b"2"})
    check_repeats(split({"left 1": a, "left 2": b, "right": other}, {}), "x")
    with pytest.raises(DatasetError, match=rf"{a} \(training of left\) and {b} \(training of right\)"):
        check_repeats(split({"left": a, "right": b}, {}), "x")
    with pytest.raises(DatasetError, match=rf"{a} \(training of left\) and {b} \(validation of left\); leave one"):
        check_repeats(split({"left": a, "right": other}, {"left": b}), "x")
    with pytest.raises(DatasetError, match=rf"{a} \(training of left\) and {a} \(validation of left\)"):
        check_repeats(split({"left": a}, {"left": a}), "x")


def test_empty_files_are_no_clips_that_could_repeat(tmp_path: Path) -> None:
    """What is left of downloads that failed: unreadable, which `skip_unreadable` may leave out."""
    a, b, other = files(tmp_path, {"a": b"", "b": b"", "other": b"2"})
    check_repeats(split({"left": a, "right": b, "left 2": other}, {}), "x")


def test_the_first_few_are_named_and_the_others_counted(tmp_path: Path) -> None:
    train = files(tmp_path, {f"a{number}": bytes([number]) for number in range(9)})
    test = files(tmp_path, {f"b{number}": bytes([number]) for number in range(9)})
    both = split({f"left {path}": path for path in train}, {f"left {path}": path for path in test})
    with pytest.raises(DatasetError, match=r"\(and 6 more\); leave one of each out") as caught:
        check_repeats(both, "x")
    assert str(caught.value).count(" and ") == 3


def test_it_is_said_before_a_clip_is_read(
    small: Callable[..., Recipe], moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
        for number in (0, 3):
            (tmp_path / label / f"_{number}.mp4").write_bytes((moving / label / "clip_0.mp4").read_bytes())
    said = pytest.raises(DatasetError, match=r"the same clip for two things.* set allow_repeats=true")
    with monkeypatch.context() as unread, said:
        unread.setattr("edgecvar.train.data.store.read_clip", lambda *rest, **named: pytest.fail("a clip was read"))
        start_run(small(f"data={tmp_path}"), tmp_path / "runs", Listener())
    start_run(small(f"data={tmp_path}", "allow_repeats=true"), tmp_path / "runs", Listener())
