"""`edgecvar run --together` in a shell: sources that wait, and the signal that ends them."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.cli.test_run_streams import spawn
from tests.moving_clip import moving_clip


@pytest.mark.parametrize("kind, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_of_them_also_those_that_wait(tmp_path, bundle, kind, code):
    pipes = [tmp_path / "one.ts", tmp_path / "two.ts"]
    for pipe in pipes:
        os.mkfifo(pipe)
    clip = moving_clip(tmp_path / "stream.ts", pictures=100)
    process = spawn("run", *pipes, "--together", "--bundle", bundle, "--json")
    with pipes[0].open("wb") as sent:  # of the other nothing comes
        sent.write(clip.read_bytes())
        sent.flush()
        first = json.loads(process.stdout.readline())
        assert first["source"] == str(pipes[0]) and first["label"] == "right"
        process.send_signal(kind)
        assert process.wait(timeout=60) == code
    *decisions, last = map(json.loads, process.stdout.read().splitlines())
    assert {line["source"] for line in decisions} <= {str(pipes[0])}
    assert last["summary"]["decisions"] == 1 + len(decisions) and last["summary"]["ended"] == "stopped"
    assert b"Traceback" not in process.stderr.read()


def test_a_reader_that_has_enough_ends_all_of_them_silently(tmp_path, bundle):
    clips = [moving_clip(tmp_path / f"{name}.mp4", pictures=1500) for name in ("one", "two")]
    process = spawn("run", *clips, "--together", "--bundle", bundle, "--json", "--every", "1")
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == b""
