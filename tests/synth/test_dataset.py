"""Folders of clips: counts, lists, reproducibility, and the command around them."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List

import av
import numpy as np
import pytest
from click.testing import CliRunner

from edgecvar.cli.main import cli
from edgecvar.errors import DatasetError, EdgecvarError
from edgecvar.synth.classes import LABELS
from edgecvar.synth.dataset import Fixed, Request, plan_clip, write_clips
from edgecvar.synth.plan import CODECS, draw_plan
from tests.test_workers import members, until


def contents(folder: Path) -> Dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def count_pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth") / "clips"
    write_clips(Request(folder, clips=14, seed=3))
    return folder


def test_clips_are_spread_evenly_and_listed(filled: Path) -> None:
    rows = list(csv.DictReader((filled / "clips.csv").open(encoding="utf-8")))
    assert len(rows) == 14
    counts = {label: sum(row["label"] == label for row in rows) for label in LABELS}
    assert counts == {label: 2 if label in ("left", "right") else 1 for label in LABELS}
    assert all(row["path"].startswith(row["label"] + "/") for row in rows)
    files = sorted(name.replace(os.sep, "/") for name in contents(filled) if os.sep in name)
    assert files == sorted(row["path"] for row in rows)


def test_the_list_holds_what_was_drawn(filled: Path) -> None:
    lines = [json.loads(line) for line in (filled / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
    for index, line in enumerate(lines):
        plan = plan_clip(Request(filled, clips=14, seed=3), index)
        assert (line["seed"], line["index"], line["label"]) == (3, index, plan.acts[0].label)
        assert line["plan"]["encoding"]["gop_length"] == plan.encoding.gop_length
        assert line["plan"]["canvas"]["fps"] == str(plan.canvas.fps)
        assert count_pictures(filled / line["path"]) == plan.pictures


def test_same_seed_same_bytes_in_any_number_of_processes(filled: Path, tmp_path: Path) -> None:
    write_clips(Request(tmp_path / "again", clips=14, seed=3, jobs=2))
    assert contents(tmp_path / "again") == contents(filled)


def test_a_clip_depends_on_seed_and_index_alone(filled: Path, tmp_path: Path) -> None:
    write_clips(Request(tmp_path / "fewer", clips=3, seed=3))
    write_clips(Request(tmp_path / "other", clips=3, seed=4))
    whole, fewer, other = contents(filled), contents(tmp_path / "fewer"), contents(tmp_path / "other")
    clips = [name for name in fewer if os.sep in name]
    assert len(clips) == 3
    assert all(fewer[name] == whole[name] for name in clips)
    assert not {other[name] for name in other if os.sep in name} & set(whole.values())


def test_what_is_given_is_not_drawn() -> None:
    request = Request(Path("unused"), clips=24, seed=1, fixed=Fixed(gop_length=12, b_pictures=2, crf=20))
    for index in range(24):
        coding = plan_clip(request, index).encoding
        assert (coding.gop_length, coding.b_pictures, coding.crf) == (12, 2, 20)
        drawn = draw_plan(LABELS[index % 12], np.random.default_rng([1, index]))
        assert coding.codec == drawn.encoding.codec


def test_a_given_codec_changes_nothing_else_of_a_plan() -> None:
    for index in range(24):
        drawn = plan_clip(Request(Path("unused"), clips=24, seed=1), index)
        for codec in CODECS:
            plan = plan_clip(Request(Path("unused"), clips=24, seed=1, fixed=Fixed(codecs=(codec,))), index)
            avi = codec == drawn.encoding.codec == "mpeg4" and drawn.encoding.container == "avi"
            coding = dataclasses.replace(drawn.encoding, codec=codec, container="avi" if avi else "mp4")
            assert plan == dataclasses.replace(drawn, encoding=coding)


def test_codecs_are_drawn_from_those_given() -> None:
    fixed = Fixed(codecs=("hevc", "h264"))
    plans = [plan_clip(Request(Path("unused"), clips=120, seed=1, fixed=fixed), index) for index in range(120)]
    assert 0.35 < np.mean([plan.encoding.codec == "hevc" for plan in plans]) < 0.65
    assert {plan.encoding.codec for plan in plans} == {"hevc", "h264"}


def test_h264_and_mpeg4_clips_are_drawn_as_they_were_before_hevc() -> None:
    """The data that shipped bundles learnt from: a digest of its first plans."""
    plans = [plan_clip(Request(Path("unused"), clips=1500, seed=1), index) for index in range(48)]
    told = repr([(plan.acts, plan.canvas, plan.start, plan.encoding, plan.look.seed) for plan in plans])
    assert hashlib.sha256(told.encode()).hexdigest()[:16] == "f5df7492d74fd5bf"


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(filled: Path) -> None:
    before = contents(filled)
    with pytest.raises(DatasetError, match="not empty; name a new folder, or use --force"):
        write_clips(Request(filled, clips=2, seed=9))
    assert contents(filled) == before


def test_force_writes_into_a_folder_and_keeps_what_it_does_not_write(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    write_clips(Request(tmp_path, clips=1, seed=0, force=True))
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(list((tmp_path / "left").iterdir())) == 1


def test_force_replaces_a_clip_whatever_its_container(tmp_path: Path) -> None:
    requests = [Request(tmp_path, clips=1, seed=seed, force=True) for seed in range(40)]
    first, second = (
        next(request for request in requests if plan_clip(request, 0).encoding.container == container)
        for container in ("avi", "mp4")
    )
    for request, suffix in ((first, "avi"), (second, "mp4"), (first, "avi")):
        write_clips(request)
        assert [item.name for item in (tmp_path / "left").iterdir()] == [f"left_00000.{suffix}"]


def test_a_failure_in_a_process_comes_back_as_itself(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    # A folder where a clip should go cannot be replaced by a file.
    plan = plan_clip(Request(folder, clips=1, seed=0), 0)
    (folder / "left" / f"left_00000.{plan.encoding.container}" / "in the way").mkdir(parents=True)
    with pytest.raises(EdgecvarError, match="left_00000"):
        write_clips(Request(folder, clips=6, seed=0, jobs=2, force=True))
    assert not [name for name in contents(folder) if ".draft" in name]


def invoke(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "edgecvar.cli.main", "synth", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_fills_a_folder(tmp_path: Path) -> None:
    done = invoke(tmp_path / "clips", "--clips", 12, "--seed", 5, "--jobs", 1, "--gop", 12)
    assert done.returncode == 0, done.stderr
    assert "12 clips of 12 classes" in done.stdout
    assert sorted(item.name for item in (tmp_path / "clips").iterdir()) == sorted([*LABELS, "clips.csv", "clips.jsonl"])


def test_command_refuses_a_folder_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("mine")
    for target, words in ((tmp_path, "is not empty"), (tmp_path / "file.txt", "is a file")):
        done = invoke(target, "--clips", 2)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_command_writes_a_sequence(tmp_path: Path) -> None:
    path = tmp_path / "demo.mp4"
    labels = ["left", "rotate_cw", "still"]
    options = ("--sequence", ",".join(labels), "--seed", 2, "--pictures", 15, "--gop", 12, "--b-pictures", 1)
    done = invoke(path, *options)
    assert done.returncode == 0
    assert [line.split()[-1] for line in done.stdout.splitlines()[:3]] == labels
    assert count_pictures(path) == 45
    again = invoke(path, *options)
    assert again.returncode == 1
    assert "use --force" in again.stderr
    first = path.read_bytes()
    assert invoke(path, *options, "--force").returncode == 0
    assert path.read_bytes() == first


def test_a_sequence_has_the_size_and_rate_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    given = ("--size", "340x256", "--fps", 30, "--gop", 12, "--b-pictures", 2)
    assert invoke(path, "--sequence", "left,up", "--pictures", 8, *given).returncode == 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (340, 256, 30)


def test_a_sequence_is_of_the_codec_it_is_given(tmp_path: Path) -> None:
    for given, codec in (((), "h264"), (("--codec", "hevc"), "hevc")):
        path = tmp_path / f"{codec}.mp4"
        assert invoke(path, "--sequence", "left,up", "--pictures", 8, *given).returncode == 0
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.name == codec


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "--clips", "0"], "--clips"),
        (["x", "--jobs", "0"], "--jobs"),
        (["x", "--seed", "-1"], "--seed"),
        (["x", "--gop", "1"], "--gop"),
        (["x", "--codec", "av1"], "--codec"),
        (["x", "--b-pictures", "4"], "--b-pictures"),
        (["x", "--pictures", "5"], "go with --sequence"),
        (["x", "--fps", "30"], "go with --sequence"),
        (["x.mp4"], "wants --sequence"),
        (["x.mp4", "--sequence", "left", "--size", "33x44"], "even sides"),
        (["x.mp4", "--sequence", "left", "--size", "big"], "WIDTHxHEIGHT"),
        (["x.mp4", "--sequence", "left", "--clips", "3"], "leave them out with --sequence"),
        (["x.avi", "--sequence", "left"], "one .mp4 file"),
        ([], "TARGET"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    arguments: List[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["synth", *arguments])
    assert result.exit_code == 2
    assert words in result.output
    assert not list(tmp_path.iterdir())


def test_an_unknown_class_in_a_sequence_names_the_nearest(tmp_path: Path) -> None:
    done = invoke(tmp_path / "demo.mp4", "--sequence", "left,rotatecw")
    assert done.returncode == 1
    assert done.stderr == "error: unknown class 'rotatecw': did you mean 'rotate_cw'?\n"
    assert not list(tmp_path.iterdir())


def test_help_names_every_option() -> None:
    result = CliRunner().invoke(cli, ["synth", "--help"])
    assert result.exit_code == 0
    for option in ("--clips", "--seed", "--jobs", "--sequence", "--gop", "--b-pictures", "--crf", "--codec", "--force"):
        assert option in result.output
    assert f"[{'|'.join(CODECS)}]" in result.output


@pytest.mark.parametrize(("jobs", "clips"), [(1, 4), (2, 0), (2, 4)])
def test_ctrl_c_leaves_whole_files(tmp_path: Path, jobs: int, clips: int) -> None:
    folder = tmp_path / "clips"
    command = [sys.executable, "-m", "edgecvar.cli.main", "synth", str(folder), "--clips", "9000"]
    process = subprocess.Popen(
        [*command, "--jobs", str(jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while process.poll() is None and not (
            (folder / "still").exists() and len(list(folder.glob("*/[a-z]*"))) >= clips
        ):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted"  # after what a slow machine says of its progress
    files = contents(folder)
    assert len(files) >= clips
    for name in files:
        assert Path(name).suffix in (".mp4", ".avi")
        assert count_pictures(folder / name) >= 40


def test_no_process_outlives_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    command = [sys.executable, "-m", "edgecvar.cli.main", "synth", str(folder), "--clips", "9000", "--jobs", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        assert until(lambda: len(list(folder.glob("*/[a-z]*"))) >= 2)
        process.terminate()
        process.wait(60)
        assert until(lambda: not members(process.pid), 20)
    finally:
        for each in members(process.pid):
            os.kill(each, signal.SIGKILL)
