"""`edgecvar run` in a shell: pipes, signals, readers that have enough, streams that are closed."""

from __future__ import annotations

import json
import operator
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import av
import pytest

from edgecvar.stream.sources.channel import Channel
from tests.moving_clip import moving_clip
from tests.stream.transport import TURN, Clockwork, slow_clip


def spawn(*arguments, **options):
    command = [sys.executable, "-m", "edgecvar.cli.main", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options)


def test_standard_input_gives_what_the_file_gives(tmp_path, bundle):
    clip = moving_clip(tmp_path / "stream.ts", pictures=40)
    outputs = []
    for source, stdin in ((clip, None), ("-", subprocess.PIPE), ("-", clip.open("rb"))):
        process = spawn("run", source, "--bundle", bundle, "--json", stdin=stdin)
        out, err = process.communicate(clip.read_bytes() if stdin is subprocess.PIPE else None, timeout=60)
        assert process.returncode == 0, err
        lines = [json.loads(line) for line in out.splitlines()]
        outputs.append([(line["display_index"], line["label"], line["probability"]) for line in lines[:-1]])
    assert outputs[0] and outputs[0] == outputs[1] == outputs[2]


def test_a_reader_that_has_enough_ends_the_run_silently(tmp_path, bundle):
    clip = moving_clip(tmp_path / "long.mp4", pictures=1500)
    process = spawn("run", clip, "--bundle", bundle, "--json", "--every", "1")
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == b""


def test_interrupting_a_run_that_waits_for_its_pipe_ends_it_with_a_summary(tmp_path, bundle):
    clip = moving_clip(tmp_path / "stream.ts", pictures=100)
    process = spawn("run", "-", "--bundle", bundle, "--json", stdin=subprocess.PIPE)
    process.stdin.write(clip.read_bytes())
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"{")
    time.sleep(0.2)  # so that it most likely waits for more; it must end either way
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130  # with its pipe still open
    out, err = process.communicate()
    assert err.strip() == b"interrupted"
    assert json.loads(out.splitlines()[-1])["summary"]["ended"] == "interrupted"


SIGNALS = [(signal.SIGINT, 130, b"interrupted"), (signal.SIGTERM, 143, b"terminated")]


@pytest.mark.parametrize("number, code, word", SIGNALS)
def test_the_first_signal_ends_a_run_that_waits_for_a_server(bundle, tmp_path, number, code, word):
    clip = moving_clip(tmp_path / "stream.ts", pictures=100)
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        process = spawn("run", source, "--bundle", bundle, "--json", "--timeout", "100")
        connection, _ = server.accept()
        connection.sendall(clip.read_bytes())
        assert process.stdout.readline().startswith(b"{")
        process.send_signal(number)
        assert process.wait(timeout=60) == code
        out, err = process.communicate()
        assert err.strip() == word and json.loads(out.splitlines()[-1])["summary"]["ended"] == word.decode()
        connection.close()


def test_interrupting_a_run_whose_pipe_nobody_writes_to_ends_it(bundle, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    process = spawn("run", tmp_path / "pipe", "--bundle", bundle, "--json", "--timeout", "100")
    for _ in range(600):  # until its end of the pipe is open
        with suppress(OSError):
            writer = os.open(tmp_path / "pipe", os.O_WRONLY | os.O_NONBLOCK)
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    out, err = process.communicate()
    assert (out, err.strip()) == (b"", b"interrupted")
    os.close(writer)


def test_interrupting_a_run_that_still_looks_for_a_video_in_its_pipe_ends_it(bundle):
    process = spawn("run", "-", "--bundle", bundle, "--json", stdin=subprocess.PIPE)
    stuffing = b"\x47\x1f\xff\x10" + b"\xff" * 184  # a transport stream packet without content
    process.stdin.write(stuffing * 1000)  # more than a pipe holds: it is read from when this returns
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert process.stdout.read() == b"" and process.stderr.read().strip() == b"interrupted"


@pytest.mark.parametrize("number, code, word", SIGNALS)
def test_a_signal_keeps_the_overlay_whole_and_leaves_no_hidden_file(bundle, tmp_path, number, code, word):
    clip, target = moving_clip(tmp_path / "long.mp4", pictures=3000), tmp_path / "out" / "overlay.mp4"
    target.parent.mkdir()
    process = spawn("run", clip, "--bundle", bundle, "--json", "--overlay", target)
    for _ in range(20):
        assert process.stdout.readline().startswith(b"{")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code and word in err and b"Traceback" not in err
    summary = json.loads(out.splitlines()[-1])["summary"]
    assert summary["ended"] == word.decode() and 20 <= summary["decisions"] < 700
    assert list(target.parent.iterdir()) == [target]
    with av.open(str(target)) as container:
        assert 0 < sum(1 for _ in container.decode(video=0)) < 3000


def test_a_run_that_ends_before_its_first_decision_says_why(edgecvar, bundle, clip, monkeypatch):
    take = Channel.take

    def terminated(channel, timeout=None):
        signal.raise_signal(signal.SIGTERM)
        return take(channel, timeout)

    monkeypatch.setattr(Channel, "take", terminated)
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--json")
    (line,) = out.splitlines()
    summary = json.loads(line)["summary"]
    assert (code, err.strip()) == (143, "terminated")
    assert summary["ended"] == "terminated" and summary["note"] == "no decision: the run ended before the first"


def test_ctrl_c_during_the_imports_is_no_traceback():
    program = (
        "import builtins, os, runpy, signal, sys\n"
        "load = builtins.__import__\n"
        "def interrupted(name, *rest, **named):\n"
        "    if name == 'click':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return load(name, *rest, **named)\n"
        "builtins.__import__ = interrupted\n"
        "sys.argv = ['edgecvar', 'models']\n"
        "runpy.run_module('edgecvar', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.parametrize(
    "redirections, code, shown",
    [
        ("<&-", 0, "right"),
        (">&-", 0, ""),
        ("2>&-", 0, "right"),
        ("<&- >&- 2>&-", 0, ""),
        ("- <&-", 1, "standard input is closed"),
        ("none.mp4 >&-", 1, "no such file"),
        ("none.mp4 2>&-", 1, ""),
    ],
)
def test_standard_streams_may_be_closed(bundle, clip, tmp_path, redirections, code, shown):
    source = "" if redirections.startswith(("-", "none")) else str(clip)
    line = f"exec {sys.executable} -m edgecvar run {source} {redirections} --bundle {bundle} --overlay {tmp_path}/o.mp4"
    line = line.replace("--overlay", "--top 2 #") if code else line
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.returncode == code and "Traceback" not in done.stderr and shown in done.stdout + done.stderr
    assert not code or done.stdout == ""
    if not code:  # no message went into a file that took the number of a closed stream
        with av.open(f"{tmp_path}/o.mp4") as container:
            assert sum(1 for _ in container.decode(video=0)) == 40


@pytest.mark.parametrize("verb", ["inspect", "extract"])
def test_other_verbs_read_standard_input_too(tmp_path, verb):
    clip = moving_clip(tmp_path / "stream.ts", pictures=40)
    process = spawn(verb, "-", *(["--json"] if verb == "inspect" else ["-o", tmp_path / "a.npz", "--json"]), stdin=-1)
    out, err = process.communicate(clip.read_bytes(), timeout=60)
    assert process.returncode == 0, err
    document = json.loads(out)
    assert document["pictures"] == 40 if verb == "extract" else len(document["kinds"]) == 40


def test_ten_minutes_through_a_pipe_take_no_more_memory_than_three(bundle, tmp_path):
    """Of a transport stream whose clock turns meanwhile; decisions come in the order of their times."""
    out, clockwork = tmp_path / "out.jsonl", Clockwork(slow_clip(tmp_path / "slow.ts"))
    parts = [clockwork.at(partial(operator.add, TURN + second * 90_000)) for second in range(-300, 300, 20)]
    held = []
    with spawn("run", "-", "--bundle", bundle, "--json", "-o", out, stdin=subprocess.PIPE) as child:
        for share, decided in ((parts[:9], 150), (parts[9:], 550)):
            child.stdin.write(b"".join(share))
            child.stdin.flush()
            lines_of(out, decided)
            held.append(resident(child.pid))
        assert child.communicate(timeout=60)[1] == b"" and child.returncode == 0
    *decisions, summary = [json.loads(line) for line in out.read_text().splitlines()]
    times = [decision["pts_seconds"] for decision in decisions]
    assert len(times) == 600 and all(late > early for early, late in zip(times, times[1:]))
    assert summary["summary"]["stream_seconds"] == pytest.approx(599.5) and "breaks" not in summary["summary"]
    assert held[1] - held[0] < 8 << 20


def lines_of(file, count):
    """Waits until so many lines are in a file."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if file.exists() and file.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{file}: fewer than {count} lines")


def resident(pid):
    """Bytes of memory that a process holds."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) << 10
