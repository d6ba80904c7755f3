"""`edgecvar run` of what comes and goes: a signal ends it in every state, and it says what happened."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest

from tests.stream.rtsp import serving

SIGNALS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
MOST = 20
"""Seconds, for a machine that does much else; on an idle one it takes less than one."""


def spawn(*arguments):
    command = [sys.executable, "-m", "edgecvar", "run", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


@pytest.mark.parametrize("number, code, word", SIGNALS)
def test_a_camera_that_is_away_is_waited_for_until_a_signal(bundle, number, code, word):
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    process = spawn(f"rtsp://user:secret@127.0.0.1:{port}/live", "--bundle", bundle, "--json")
    line = process.stderr.readline()
    assert "refused" in line and "it is waited for" in line and "user:***@" in line and "secret" not in line
    process.send_signal(number)
    out, err = process.communicate(timeout=MOST)
    assert process.returncode == code and err.strip() == word and out == ""


def test_a_server_that_says_nothing_is_left_by_a_signal(bundle):
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        process = spawn(f"rtsp://127.0.0.1:{listening.getsockname()[1]}/live", "--bundle", bundle, "--timeout", "300")
        connection, _ = listening.accept()
        assert connection.recv(100).startswith(b"OPTIONS ")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=MOST)
        assert process.returncode == 143 and err.strip() == "terminated" and out == ""
        connection.close()


def test_a_stream_is_followed_over_a_restart_and_ended_by_a_signal(bundle):
    with serving() as server:
        process = spawn(server.uri(), "--bundle", bundle, "--json", "--every", "5")
        for _ in range(5):
            assert "label" in json.loads(process.stdout.readline())
        server.kill()
        server.start()
        decisions = []
        while not decisions or "break" not in decisions[-1]:
            decisions.append(json.loads(process.stdout.readline()))
        assert decisions[-1]["break"] == "reconnected"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=MOST)
        summary = json.loads(out.splitlines()[-1])["summary"]
        assert process.returncode == 130 and summary["ended"] == "interrupted"
        assert summary["breaks"] == {"reconnected": 1} and summary["live"]["reconnections"] == 1
        assert summary["live"]["failures"]["the stream ended"] == 1
        assert "the stream ended; it is waited for" in err and ": there, after" in err


def test_it_is_given_up_where_that_was_asked_for(edgecvar, bundle):
    url = "rtsp://127.0.0.1:1/live"
    code, _, err = edgecvar("run", url, "--bundle", bundle, "--no-reconnect")
    assert code == 1 and "refused" in err and err.count("\n") == 1
    began = time.monotonic()
    code, _, err = edgecvar("run", url, "--bundle", bundle, "--wait", "0.5")
    assert code == 1 and "given up, as it was away for" in err and time.monotonic() - began < MOST


def test_what_comes_live_is_not_read_twice(edgecvar, bundle, tmp_path):
    url = "rtsp://user:secret@127.0.0.1:1/live"
    for arguments in (
        ["run", url, "--bundle", bundle, "--overlay", tmp_path / "a.mp4"],
        ["inspect", url, "--picture", tmp_path / "a.png"],
        ["bench", url, "--bundle", bundle],
    ):
        code, _, err = edgecvar(*arguments)
        assert code == 1 and "can" in err and "user:***@" in err and "secret" not in err and err.count("\n") == 1


def test_another_url_is_waited_for_where_that_was_asked_for(edgecvar, bundle):
    url = "tcp://127.0.0.1:1"
    code, _, err = edgecvar("run", url, "--bundle", bundle)
    assert code == 1 and "given up" not in err
    code, _, err = edgecvar("run", url, "--bundle", bundle, "--reconnect", "--wait", "0.5")
    assert code == 1 and "given up" in err


def test_the_pattern_is_run_and_said_to_be_encoded(bundle):
    process = spawn("test://?size=96x64&fps=30", "--bundle", bundle)
    assert "encoded here by libx264 with a GOP of 30" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=MOST)
    assert process.returncode == 130 and "ended early: interrupted" in out
