"""`edgecvar run --to URI` tells others as well, and says at the end what became of it."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from tests.deliveries import ask, free_port, soon, stalling
from tests.moving_clip import moving_clip


def rows(file, query):
    with closing(sqlite3.connect(str(file))) as log:
        return log.execute(query).fetchall()


def test_what_became_of_it_is_one_line_each(edgecvar, tmp_path, bundle, clip):
    file, port = tmp_path / "log.db", free_port()
    to = ["--to", f"sqlite:{file}", "--to", f"metrics://127.0.0.1:{port}", "--spool", tmp_path / "spool"]
    code, out, err = edgecvar("run", clip, "--bundle", bundle, *to)
    assert code == 0 and "40 pictures" in out.splitlines()[-1]
    assert err.splitlines() == [f"sqlite:{file}: 3 delivered", f"metrics://127.0.0.1:{port}: 0 delivered"]
    assert rows(file, "select label from decisions") == [("right",)]
    assert rows(file, "select source, pictures, decisions from runs") == [(str(clip), 40, 20)]


def test_in_json_it_is_a_document(edgecvar, tmp_path, bundle, clip):
    to = ["--to", f"sqlite:{tmp_path}/log.db", "--spool", tmp_path / "spool"]
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--json", *to)
    *_, summary, last = map(json.loads, out.splitlines())
    assert (code, err) == (0, "") and "summary" in summary
    counts = {"delivered": 3, "failed": 0, "refused": 0, "dropped": 0, "waiting": 0}
    assert last == {"deliveries": [{"to": f"sqlite:{tmp_path}/log.db", **counts}]}


def test_several_sources_share_them(edgecvar, tmp_path, bundle, clip):
    other = moving_clip(tmp_path / "other.mp4", pictures=40)
    to = ["--to", f"sqlite:{tmp_path}/log.db", "--spool", tmp_path / "spool"]
    code, _, err = edgecvar("run", clip, other, "--bundle", bundle, *to)
    assert code == 0 and err.count("delivered") == 1
    assert rows(tmp_path / "log.db", "select source from runs order by begun_at") == [(str(clip),), (str(other),)]


@pytest.mark.parametrize(
    "uri, says",
    [
        ("mqqt://host/cam", "did you mean 'mqtt'"),
        ("sqlite:none/log.db", "make the folder first"),
        ("http://user:s3cret@host:port/", "host or port is none"),
        ("metrics://127.0.0.1:{taken}", "cannot listen there"),
    ],
)
def test_what_cannot_be_set_up_is_one_line_before_anything_is_read(edgecvar, tmp_path, bundle, uri, says):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        uri = uri.format(taken=server.getsockname()[1])
        code, out, err = edgecvar("run", tmp_path / "missing.mp4", "--bundle", bundle, "--to", uri, "--spool", tmp_path)
    assert (code, out, err.count("\n")) == (1, "", 1) and err.startswith("error: ") and says in err
    assert "missing.mp4" not in err and "s3cret" not in err


def test_a_source_that_cannot_be_read_is_said_and_so_is_what_was_delivered(edgecvar, tmp_path, bundle):
    to = ["--to", f"sqlite:{tmp_path}/log.db", "--spool", tmp_path / "spool"]
    code, _, err = edgecvar("run", tmp_path / "missing.mp4", "--bundle", bundle, *to)
    first, last = err.splitlines()
    assert code == 1 and first.startswith("sqlite:") and last.startswith("error: ") and "missing.mp4" in last


def test_a_webhook_has_events_without_asking_for_them(edgecvar, tmp_path, bundle, clip):
    uri = f"http://127.0.0.1:{free_port()}/s3cret"
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--to", uri, "--spool", tmp_path / "spool")
    assert code == 0 and "event 0: right" in out
    counts, kept = err.splitlines()  # nobody listens there
    assert "s3cret" not in err and ", 2 waiting" in counts and str(tmp_path / "spool") in kept


def test_metrics_are_there_while_it_runs_and_ctrl_c_ends_it_whoever_stalls(tmp_path, bundle):
    """A source that waits for ever, a broker that lets in and says nothing."""
    pytest.importorskip("paho.mqtt", reason="needs the live extra")
    port = free_port()
    with stalling() as (silent, _), stalling() as (camera, came):
        command = [sys.executable, "-m", "edgecvar", "run", f"tcp://127.0.0.1:{camera}", "--bundle", str(bundle)]
        command += ["--to", f"metrics://127.0.0.1:{port}", "--to", f"mqtt://127.0.0.1:{silent}/cam"]
        command += ["--spool", str(tmp_path), "--json", "--timeout", "3600"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        soon(lambda: came, 60)
        assert ask(port)[0] == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        watchdog.cancel()
    assert process.returncode == 130, err
    names = [each["to"] for each in json.loads(out.splitlines()[-1])["deliveries"]]
    assert names == [f"metrics://127.0.0.1:{port}", f"mqtt://127.0.0.1:{silent}/cam"]
