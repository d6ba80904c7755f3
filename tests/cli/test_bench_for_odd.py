"""`edgecvar bench --for` with sources, sessions and pages that cannot be: one line, and nothing is overwritten."""

from __future__ import annotations

import json
import os
from fractions import Fraction

import pytest

from edgecvar.bundle.devices import DEVICES
from edgecvar.synth.encode import encode
from edgecvar.synth.plan import Canvas, Encoding
from tests.full_disk import no_room
from tests.stream.known_clips import translation

PHASE = {"wall_seconds": 1.0, "pictures": 10, "sampled": 10, "decisions": 10, "spans_ms": {}}


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Where calibrations are kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "edgecvar" / "devices" / "tx2.json"


def session(path, **changed):
    """As `edgecvar bench` saves one of the demo's bundle, on a TX2."""
    alone = {**PHASE, "spans_ms": {"stage:motion": [0.3, 0.4, 0.5]}}
    document = {
        "bundle": "motion",
        "untrained": False,
        "runner": "tensorrt 8.2",
        "precision": "fp16",
        "source": "s",
        "width": 64,
        "height": 64,
        "stream_fps": 25.0,
        "every": 1,
        "machine": {"device": DEVICES["tx2"].title},
        "warm_up": PHASE,
        "run": PHASE,
        "stages_alone": alone,
        **changed,
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "source", ["rtsp://me:secret@camera/1", "-", "", "4k camera"], ids=["a URL", "standard input", "empty", "no camera"]
)
def test_what_is_no_file_is_told_with_the_cameras_there_are(edgecvar, source):
    code, out, err = edgecvar("bench", "--for", "tx2", source)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "720p camera" in err and "secret" not in err


def test_a_pipe_is_not_waited_for(edgecvar, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    code, _, err = edgecvar("bench", "--for", "tx2", tmp_path / "pipe")
    assert code == 1 and "no file whose pictures can be counted" in err


def test_a_stream_that_cannot_be_counted_is_told_without_flags_that_are_not_there(edgecvar, tmp_path):
    clip = tmp_path / "clip.mp4"
    encode(clip, translation(8, (96, 128), (2, 0)), Canvas(128, 96, Fraction(25)), Encoding("mpeg4", "mp4", 12, 0, 18))
    code, _, err = edgecvar("bench", "--for", "tx2", clip)
    assert code == 1 and "re-encode it to H.264" in err and "--extraction" not in err


def test_a_session_whose_name_is_no_text_is_kept(edgecvar, tmp_path, state):
    name = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff\x1b[31m.json")
    os.replace(session(tmp_path / "plain.json"), name)
    code, _, err = edgecvar("bench", "--for", "tx2", "--calibrate", name)
    assert (code, err.count("\n")) == (0, 1)
    assert json.loads(state.read_text("utf-8"))["sessions"][0]["session"] == "\\udcff\\x1b[31m.json"


@pytest.mark.parametrize("precision", ["int8", "\x1b[31mhalf\n"])
def test_a_session_in_a_precision_that_the_device_has_not_is_refused(edgecvar, tmp_path, precision):
    code, _, err = edgecvar("bench", "--for", "tx2", "--calibrate", session(tmp_path / "s.json", precision=precision))
    assert (code, err.count("\n")) == (1, 1)
    assert f"--calibrate {tmp_path / 's.json'}: measured in" in err and "--device" not in err


def test_a_page_replaces_neither_session_nor_source(edgecvar, tmp_path, clip, state):
    saved = session(tmp_path / "s.json")
    before = saved.read_bytes(), clip.read_bytes()
    code, _, err = edgecvar("bench", "--for", "tx2", "--calibrate", saved, "--report", saved)
    assert code == 2 and "this is the session itself" in err and not state.exists()
    code, _, err = edgecvar("bench", "--for", "tx2", clip, "--report", clip)
    assert code == 2 and "this is the source itself" in err
    assert (saved.read_bytes(), clip.read_bytes()) == before


def test_this_machine_takes_no_session(edgecvar, tmp_path):
    code, _, err = edgecvar("bench", "--for", "cpu", "--calibrate", session(tmp_path / "s.json"))
    assert code == 2 and "--calibrate corrects predictions for another device" in err


def test_without_room_nothing_half_is_kept(edgecvar, tmp_path, state):
    saved = session(tmp_path / "s.json")
    with no_room(beyond=10):
        code, _, err = edgecvar("bench", "--for", "tx2", "--calibrate", saved)
    assert code == 1 and f"{state}: cannot be written" in err
    assert list(state.parent.iterdir()) == []


@pytest.mark.parametrize("goal", ["1e-300", "1e6", "nan", "inf"])
def test_a_goal_that_nobody_has_is_refused(edgecvar, goal):
    code, _, err = edgecvar("bench", "--for", "tx2", "--goal", goal)
    assert code in (1, 2) and "goal" in err
