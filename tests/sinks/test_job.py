"""A run that has begun writes its summary, whatever ends it."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing

import pytest

from edgecvar.errors import EdgecvarError, StreamError
from edgecvar.run.walk import StageWalk
from edgecvar.sinks.job import run_job
from edgecvar.sinks.overlay import Overlay
from edgecvar.sinks.settings import RunConfig
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Runs a clip of 40 pictures, and gives what was written."""
    folder = tmp_path_factory.mktemp("job")
    bundle, clip = tiny_bundle(folder / "bundle"), moving_clip(folder / "clip.mp4", pictures=40)

    def run(form, error, **options):
        config = RunConfig(sources=(str(clip),), bundle=bundle, output=folder / f"out.{form}", **options)
        with pytest.raises(type(error)):
            run_job(config)
        return (folder / f"out.{form}").read_text()

    return run


def fail_after(monkeypatch, kind, method, calls, error):
    """The method raises `error` at the call after so many."""
    works, left = getattr(kind, method), [calls]

    def counted(self, *arguments):
        left[0] -= 1
        if left[0] < 0:
            raise error
        return works(self, *arguments)

    monkeypatch.setattr(kind, method, counted)


@pytest.mark.parametrize(
    "error, ended",
    [
        (EdgecvarError("stage fuse: no score"), "stage fuse: no score"),
        (KeyboardInterrupt(), "interrupted"),
        (KeyboardInterrupt("terminated"), "terminated"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_the_summary_follows_what_was_decided_and_says_what_ended_the_run(monkeypatch, job, error, ended):
    fail_after(monkeypatch, StageWalk, "finish", 3, error)
    *decisions, last = map(json.loads, job("json", error).splitlines())
    assert len(decisions) == last["summary"]["decisions"] == 3 and last["summary"]["ended"].endswith(ended)


def test_the_table_says_so_in_a_line_of_its_own(monkeypatch, job):
    fail_after(monkeypatch, StageWalk, "finish", 3, StreamError("camera: gone"))
    *_, counts, ended = job("txt", StreamError("")).splitlines()
    assert "3 decisions" in counts
    assert ended.startswith("ended early: ") and ended.endswith("/clip.mp4: camera: gone")


def test_a_sink_that_breaks_neither_hides_its_error_nor_the_summary_of_the_others(monkeypatch, job, tmp_path):
    broken = EdgecvarError("overlay.mp4: cannot be written")
    fail_after(monkeypatch, Overlay, "decision", 2, broken)
    fail_after(monkeypatch, Overlay, "finish", 0, EdgecvarError("again"))
    *decisions, last = map(json.loads, job("json", broken, overlay=tmp_path / "overlay.mp4").splitlines())
    assert len(decisions) == 3 and last["summary"]["ended"] == str(broken)
    assert list(tmp_path.iterdir()) == []


def test_the_overlay_of_a_stream_that_broke_holds_what_was_read(monkeypatch, job, tmp_path):
    fail_after(monkeypatch, StageWalk, "finish", 8, StreamError("camera: gone"))
    summary = job("json", StreamError(""), overlay=tmp_path / "overlay.mp4").splitlines()[-1]
    assert json.loads(summary)["summary"]["ended"].endswith("/clip.mp4: camera: gone")
    assert [file.name for file in tmp_path.iterdir()] == ["overlay.mp4"]


def test_the_overlay_waits_for_a_url_no_longer_than_the_run(tmp_path):
    """Its second reading meets a server that has nothing more to say."""
    bundle, content = tiny_bundle(tmp_path / "bundle"), moving_clip(tmp_path / "clip.ts", pictures=40).read_bytes()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve():
            with closing(server.accept()[0]) as connection:
                connection.sendall(content)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        config = RunConfig(
            sources=(url,), bundle=bundle, output=tmp_path / "out", timeout=1, overlay=tmp_path / "o.mp4"
        )
        with pytest.raises(StreamError, match="nothing came for 1 s"):
            run_job(config)
        thread.join(timeout=30)
