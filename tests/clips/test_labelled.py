"""Which files are videos, and where they are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edgecvar.clips.labelled import (
    RunningAnswers,
    chance_level,
    class_clips,
    files_matching,
    find_videos,
    videos_below,
    videos_in,
)
from edgecvar.errors import DatasetError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / ".clips"  # hidden itself, which is the user's to choose
    for name in ("b/two.mp4", "a/one.MKV", "a/deeper/three.ts", "a/notes.txt", ".cache/four.mp4", "a/.five.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_videos_are_found_however_deep_and_hidden_ones_are_not(folder):
    assert [file.name for file in videos_below(folder)] == ["three.ts", "one.MKV", "two.mp4"]
    assert [file.name for file in videos_in(folder / "a")] == ["one.MKV"]
    (folder / "empty").mkdir()
    named = {label: [(clip.path.name, clip.label) for clip in clips] for label, clips in class_clips(folder).items()}
    assert named == {"a": [("one.MKV", "a")], "b": [("two.mp4", "b")], "empty": []}
    assert list(named) == ["a", "b", "empty"]


def test_a_named_file_is_taken_at_its_word_and_each_once(folder):
    found = find_videos([folder / "a" / "notes.txt", folder, folder / "b" / "two.mp4"])
    assert [file.name for file in found] == ["notes.txt", "three.ts", "one.MKV", "two.mp4"]


def test_what_is_not_there_or_empty_is_an_error(folder):
    with pytest.raises(DatasetError, match="nothing: no such file or folder"):
        find_videos([folder / "nothing"])
    (folder / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty: no video in this folder"):
        find_videos([folder / "empty"])


def test_a_hidden_folder_that_is_named_is_meant(tmp_path, monkeypatch):
    (tmp_path / ".clips" / "left").mkdir(parents=True)
    (tmp_path / ".clips" / "left" / "a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    for name in (Path(".clips"), tmp_path / ".clips", Path("./.clips/../.clips")):
        assert find_videos([name]) == [name / "left" / "a.mp4"]
        assert [clip.path for clip in class_clips(name)["left"]] == [name / "left" / "a.mp4"]


def test_a_class_that_no_document_can_name_is_refused_before_anything_is_learnt(tmp_path):
    (tmp_path / "left\udcff").mkdir()
    with pytest.raises(DatasetError, match="no UTF-8 text"):
        class_clips(tmp_path)


def test_a_running_answer_is_the_newest_at_a_time_and_the_last_stays():
    answers = RunningAnswers(np.array([0.5, 0.5, 2.0]), np.array([4, 3, 1]))
    assert [answers.after(seconds) for seconds in (0.0, 0.49, 0.5, 1.9, 2.0, 99.0)] == [None, None, 3, 3, 1, 1]
    with pytest.raises(ValueError, match="RunningAnswers"):
        RunningAnswers(np.array([0.5]), np.array([1, 2]))


def test_chance_is_always_saying_the_commonest_class():
    assert chance_level([6, 2, 0]) == 0.75
    assert chance_level([]) is None and chance_level([0, 0]) is None


def test_a_folder_that_cannot_be_listed_is_an_error_and_what_repairs_leave_is_none(folder, monkeypatch):
    """Whoever runs tests may be root, whom no permission stops."""
    scandir = os.scandir
    closed = {folder / "a" / "deeper", folder / "lost+found"}

    def denied(place):
        if Path(place) in closed:
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    (folder / "lost+found").mkdir()
    monkeypatch.setattr(os, "scandir", denied)
    for look in (videos_below, lambda root: files_matching(f"{root}/**/*.ts"), lambda root: find_videos([root])):
        with pytest.raises(DatasetError, match=r"a/deeper: cannot be looked into \(.*denied\)"):
            look(folder)
    assert [file.name for file in videos_in(folder / "a")] == ["one.MKV"]
    closed.remove(folder / "a" / "deeper")
    assert len(videos_below(folder)) == len(files_matching(f"{folder}/**/*.[mMt][!x]*")) == 3


def test_links_are_the_same_to_a_folder_and_to_a_pattern(folder, tmp_path):
    (folder / "c").mkdir()
    (folder / "c" / "file.mp4").symlink_to(folder / "b" / "two.mp4")
    (folder / "c" / "away").symlink_to(folder / "b")
    (folder / "c" / "loop").symlink_to(folder)
    (folder / "c" / "gone.mp4").symlink_to(folder / "nothing")
    linked = tmp_path / "linked"
    linked.symlink_to(folder)
    deep = [file for file in files_matching(f"{linked}/**/*.*") if file.suffix != ".txt"]
    assert deep == videos_below(linked)
    assert [file.name for file in deep] == ["three.ts", "one.MKV", "two.mp4", "file.mp4"]
    assert [file.name for file in files_matching(f"{folder}/c/*/*.mp4")] == ["two.mp4"]


def test_patterns_are_those_of_shells(folder, monkeypatch):
    def names(pattern):
        return [str(file) for file in files_matching(pattern)]

    monkeypatch.chdir(folder)
    assert names("**/*.mp4") == names("./*/two.mp4") == names("**/b/**/*.mp4") == ["b/two.mp4"]
    assert names("a/**") == ["a/deeper/three.ts", "a/notes.txt", "a/one.MKV"]
    assert names(".*/*.mp4") == names(".cache/*") == [".cache/four.mp4"]
    assert names("?/.f*") == ["a/.five.mp4"]
    assert names("*/nothing/*") == names("nothing/*") == names("[ab]") == names("a/notes.txt/*") == []
