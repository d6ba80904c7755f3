"""`edgecvar bench streams` as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.moving_clip import moving_clip
from tests.test_workers import members, until

QUICK = ("--seconds", "0.5", "--most", "1", "--runner", "onnx")


def test_the_document_has_every_trial_of_both_ways(edgecvar, bundle, clip):
    code, out, err = edgecvar("bench", "streams", clip, "--bundle", bundle, *QUICK, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["cameras"][0]["path"] == str(clip) and document["stage"] == "appearance"
    for way in ("reading", "decoding"):
        entry = document[way]
        assert [trial["streams"] for trial in entry["trials"]] == [1] * len(entry["trials"])
        assert entry["streams"] == int(any(trial["holds"] for trial in entry["trials"]))
        assert entry["streams"] == 0 or entry["limit"] == "--most 1, which hold"


def test_the_table_names_both_ways_and_what_limits(edgecvar, bundle, clip):
    code, out, err = edgecvar("bench", "streams", clip.parent, "--bundle", bundle, *QUICK)
    assert (code, err) == (0, "")
    for part in ("reading the compressed video", "decoding all", "what limits", "right.mp4: 96 x 64, 25 pictures/s"):
        assert part in out


def test_what_cannot_be_played_is_one_line(edgecvar, bundle, tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"no video")
    (tmp_path / "empty").mkdir()
    still = moving_clip(tmp_path / "intra.mp4", pictures=30, g="1")
    said = {
        tmp_path / "nothing.mp4": "no such file",
        tmp_path / "no.mp4": "not a video",
        tmp_path / "empty": "no video in this folder",
        still: "no decision in 0.5 s",
    }
    for path, message in said.items():
        code, out, err = edgecvar("bench", "streams", path, "--bundle", bundle, *QUICK)
        assert (code, out) == (1, "") and err.startswith("error: ") and err.count("\n") == 1, err
        assert message in err and path.name in err
    assert edgecvar("bench", "streams")[0] == 2


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_whoever_interrupts_it_leaves_no_process_behind(bundle, clip, tmp_path, ending):
    root = Path(__file__).resolve().parents[2]
    arguments = ("bench", "streams", clip, "--bundle", bundle, "--seconds", "60", "--processes", "2", "--most", "2")
    started = subprocess.Popen(
        [sys.executable, "-m", "edgecvar", *map(str, arguments), "--runner", "onnx"],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert until(lambda: len(members(started.pid)) >= 4, 60)  # two workers, and what tracks their semaphores
        time.sleep(1.0)
        os.killpg(started.pid, ending) if ending == signal.SIGINT else started.send_signal(ending)
        out, err = started.communicate(timeout=60)
        assert started.returncode == 128 + ending and out == b""
        assert err.decode().splitlines()[-1] == ("interrupted" if ending == signal.SIGINT else "terminated")
        assert "Traceback" not in err.decode()
        assert until(lambda: not members(started.pid), 20)
        assert list(tmp_path.iterdir()) == []
    finally:
        for process in members(started.pid):
            os.kill(process, signal.SIGKILL)
