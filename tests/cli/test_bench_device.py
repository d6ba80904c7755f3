"""`edgecvar bench` on a device: layers, the board and the block to paste; and what is left out elsewhere."""

from __future__ import annotations

import getpass
import json
import platform
import re
import subprocess
from pathlib import Path

import pytest

from edgecvar.bench import measure as measuring
from edgecvar.bench.board.watch import BoardWatch
from edgecvar.bench.session import load_session
from edgecvar.runners import choice as runners
from edgecvar.runners import onnx
from tests.bench.board.trees import agx_orin, cooling, nano, write
from tests.cli.report.bench_page.jetson_session import prediction
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "moving.mp4", pictures=40)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(autouse=True)
def no_tensorrt(monkeypatch):
    monkeypatch.setattr(runners, "find_spec", lambda name: None)


@pytest.fixture
def board(tmp_path, monkeypatch):
    """The files of a board, which is watched from now on."""
    root = agx_orin(tmp_path / "board")
    monkeypatch.setattr(measuring, "board_watch", lambda: BoardWatch(root, 0.002, lambda: "30W"))
    return root


def bench(edgecvar, clip, bundle, save, *flags):
    code, out, _ = edgecvar("bench", clip, "--bundle", bundle, "--seconds", "0.2", "--save", save, *flags)
    assert code == 0
    return out


def test_each_stage_has_its_layers_and_the_slowest_are_shown(edgecvar, tmp_path, clip, bundle):
    out = bench(edgecvar, clip, bundle, tmp_path / "s.json")
    session = load_session(tmp_path / "s.json")
    assert {stage.stage for stage in session.layers} == {"appearance", "motion", "residual", "fuse"}
    assert all(stage.layers and stage.runs and not stage.complaint for stage in session.layers)
    table = out[out.index("slowest layers") :]
    slowest = max((layer.ms, layer.kind) for stage in session.layers for layer in stage.layers)
    assert f"{slowest[0]:.3f}" in table and slowest[1] in table
    assert session.board is None and "board:" not in out and "paste" not in out
    assert edgecvar("bench", "--from", tmp_path / "s.json")[1] == out
    _, document, _ = edgecvar("bench", "--from", tmp_path / "s.json", "--json")
    assert json.loads(document)["session"]["layers"] == [stage.model_dump() for stage in session.layers]


def test_a_stage_without_times_does_not_stop_the_rest(edgecvar, tmp_path, clip, bundle, monkeypatch):
    monkeypatch.setattr(onnx, "read_trace", lambda trace, known: 1 / 0)
    out = bench(edgecvar, clip, bundle, tmp_path / "s.json")
    assert out.count("no times of its layers") == 4 and "slowest layers" not in out


def test_a_board_is_watched_and_its_block_names_nobody(edgecvar, tmp_path, clip, bundle, board):
    out = bench(edgecvar, clip, bundle, tmp_path / "s.json")
    said = load_session(tmp_path / "s.json").board
    assert said.power_mode == "30W" and said.clocks_locked is True and said.settled_seconds is not None
    assert len(said.idle) == 3 and said.loaded and said.joules_per_decision is None
    assert "board: power mode 30W; clocks: gpu 1300 MHz, 1 CPUs 2202 MHz (locked)" in out
    assert "advice: the power mode is 30W" in out and "watts: 17.00 idle, 17.00 loaded" in out
    block = out[out.index("paste this") :]
    for line in ("clocks: gpu", "layer motion, ", "rate: ", "throttled: no sign of it", "runner: onnxruntime-cpu-fp32"):
        assert line in block
    assert str(clip.parent) not in block and str(bundle) not in block and clip.stem not in block
    assert platform.node() not in block and f"/{getpass.getuser()}" not in block
    document = json.loads(edgecvar("bench", "--from", tmp_path / "s.json", "--json")[1])
    assert document["session"]["board"] == json.loads((tmp_path / "s.json").read_text())["board"]


def test_a_board_that_slows_down_is_told(edgecvar, tmp_path, clip, bundle, monkeypatch):
    root = write(nano(tmp_path / "board"), cooling(1, "gpu-balanced", 1))
    monkeypatch.setattr(measuring, "board_watch", lambda: BoardWatch(root, 0.002, lambda: "MAXN"))
    out = bench(edgecvar, clip, bundle, tmp_path / "s.json")
    assert "throttled: slowed down while it was measured by heat (gpu-balanced)" in out
    assert "sudo jetson_clocks" in out and "(not locked)" in out


def test_a_session_that_was_shared_without_names_is_read(edgecvar, tmp_path, clip, bundle, board):
    """As docs/report-a-device.md has them taken out, of what was predicted beside it too."""
    file = tmp_path / "bench-session.json"
    bench(edgecvar, clip, bundle, file)
    stream = prediction().stream.model_copy(update={"name": clip.name})
    beside = prediction(bundle=str(bundle), stream=stream, calibrated=[])
    file.write_text(load_session(file).model_copy(update={"prediction": beside}).model_dump_json(indent=1))
    command = re.search(r"^sed -i .*$", (ROOT / "docs" / "report-a-device.md").read_text("utf-8"), re.MULTILINE)
    subprocess.run(["sh", "-c", command.group()], cwd=tmp_path, check=True)
    session = load_session(file)
    assert (session.bundle, session.source) == ("mine", "mine") and session.layers and session.board
    text = file.read_text()
    assert session.prediction is not None and str(bundle) not in text and clip.name not in text
    assert str(clip.parent) not in text and str(bundle.parent) not in text and platform.node() not in text
