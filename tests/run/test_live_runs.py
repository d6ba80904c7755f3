"""A model that waits for a camera: it can be closed meanwhile, or begin another run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Iterator, List

import pytest

from edgecvar.errors import EdgecvarError, StreamError
from edgecvar.run.model import Model, RunSettings, load
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle

AWAY = "rtsp://127.0.0.1:1/live"


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Model]:
    with load(tiny_bundle(tmp_path)) as model:
        yield model


def waiting(model: Model, outcome: List[str]) -> threading.Thread:
    """A thread whose run waits for a camera, when this returns."""
    there = threading.Event()

    def run() -> None:
        with pytest.raises(EdgecvarError) as caught:
            model.start(AWAY, RunSettings(tell=lambda line: there.set()))
        outcome.append(str(caught.value))

    thread = threading.Thread(target=run)
    thread.start()
    assert there.wait(30)
    return thread


def test_closing_the_model_ends_the_wait(model: Model) -> None:
    outcome: List[str] = []
    thread = waiting(model, outcome)
    model.close()
    thread.join(30)
    assert outcome == [f"{AWAY}: it was closed before it could be opened"]


def test_another_run_ends_the_wait(model: Model, tmp_path: Path) -> None:
    outcome: List[str] = []
    thread = waiting(model, outcome)
    decisions = list(model.run(moving_clip(tmp_path / "clip.mp4", pictures=30)))
    thread.join(30)
    assert decisions and outcome == [f"{AWAY}: it was closed before it could be opened"]


def test_a_live_run_is_waited_for_unless_it_is_not_to_be(model: Model) -> None:
    with pytest.raises(StreamError, match="refused"):
        model.run(AWAY, reconnect=False)
    with model.run("test://?size=96x64&fps=60&gop=10") as run:
        first = next(run)
        assert first.latency_ms > 0 and run.info.width == 96
        assert run.summary.live is not None and run.summary.live.reconnections == 0
