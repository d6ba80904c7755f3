"""What a service remembers of its streams, within bounds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from edgecvar.run.decisions import Decision
from edgecvar.run.events import Event
from edgecvar.serve.board import EVENTS, PATIENCE, Board
from edgecvar.serve.lane import STRIP, Lane


def decision(label: str, number: int = 0, latency: float = 5.0) -> Decision:
    return Decision(
        number / 10, number, number, label, 0.8, ((label, 0.8), ("b", 0.2)), latency, np.zeros(2, np.float32)
    )


def test_a_lane_keeps_the_newest_decisions_and_gives_those_that_are_new() -> None:
    lane = Lane("door", "door.mp4", added=False)
    for number in range(STRIP + 50):
        lane.decision(decision("a", number, latency=number % 100))
    points = lane.points(-1)
    assert len(points) == STRIP and points[-1].number == STRIP + 49
    assert [point.number for point in lane.points(STRIP + 47)] == [STRIP + 48, STRIP + 49]
    document = lane.document()
    assert document["decisions"] == STRIP + 50 and document["top"] == [["a", 0.8], ["b", 0.2]]
    assert 45 < document["latency_ms"][0] < 55 and document["latency_ms"][1] > 95


def test_events_are_told_twice_and_shown_once(tmp_path: Path) -> None:
    board = Board()
    board.event("door", Event(0, "fall", 1.0, None, 0.8, 1.2))
    board.event("yard", Event(0, "fall", 1.0, None, 0.7, 1.0))
    (first, second) = board.events()
    assert first.document()["seconds"] is None and second.stream == "yard"
    board.event("door", Event(0, "fall", 1.0, 3.5, 0.9, 1.2))
    (changed,) = board.events(second.change)
    assert (changed.number, changed.document()["seconds"], changed.document()["peak"]) == (first.number, 2.5, 0.9)
    assert changed.document()["clip"] is None
    board.clip("door", 0, tmp_path / "clip.mp4")
    (with_clip,) = board.events(changed.change)
    assert with_clip.document()["clip"] == f"/clips/{first.number}"
    found = board.happening(first.number)
    assert found is not None and found.clip == tmp_path / "clip.mp4" and board.happening(99) is None


def test_the_same_number_after_a_restart_of_the_stream_is_another_event() -> None:
    board = Board()
    for _ in range(2):
        board.event("door", Event(0, "fall", 1.0, None, 0.8, 1.0))
        board.event("door", Event(0, "fall", 1.0, 2.0, 0.8, 1.0))
    assert [each.number for each in board.events()] == [0, 1]


def test_events_are_bounded() -> None:
    board = Board()
    for number in range(EVENTS + 20):
        board.event("door", Event(number, "fall", 1.0, 2.0, 0.8, 1.0))
    assert len(board.events()) == EVENTS and board.events()[-1].number == EVENTS + 19


def test_what_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    for name, state in (("door", "running"), ("yard", "away"), ("roof", "failed"), ("gate", "ended")):
        lane = Lane(name, "uri", added=False)
        board.add(lane)
        assert lane.tell(state, "no route") and not lane.tell(state, "no route")  # type: ignore[arg-type]
    assert board.wrong() == ["roof: failed: no route"]
    now = time.time()
    monkeypatch.setattr("edgecvar.serve.board.time.time", lambda: now + PATIENCE + 1)
    assert [line.partition(":")[0] for line in board.wrong()] == ["yard", "roof"]


def test_a_stream_that_comes_again_keeps_its_number() -> None:
    board = Board()
    for name in ("door", "yard", "door"):
        board.add(Lane(name, "uri", added=False))
    assert (board.number("door"), board.number("yard"), len(board.lanes)) == (0, 1, 2)
    board.remove("door")
    assert board.lane("door") is None and board.number("door") == -1
    board.add(Lane("gate", "uri", added=False))
    assert (board.number("gate"), board.number("yard")) == (0, 1)
