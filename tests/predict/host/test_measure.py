"""Times of this machine: all parts are there, of what a run does."""

from __future__ import annotations

import threading
import time

import pytest

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.predict.host.cost import PARTS, Wanted
from edgecvar.predict.host.counts import counts_of
from edgecvar.predict.host.measure import ThreadClock, measure_host, measure_stream, walk
from edgecvar.predict.host.streams import MADE, Made, make
from tests.moving_clip import moving_clip

SPEC = InputSpec(height=32, width=32)


def test_all_parts_of_a_stream_without_b_pictures_are_timed(tmp_path):
    timed = measure_stream(moving_clip(tmp_path / "clip.mp4"), SPEC, passes=1)
    assert {each.part for each in timed} >= set(PARTS) - {
        "frame",
        "trace",
    }  # differences, of so few pixels next to none
    assert all(each.ms > 0 and each.of == "clip.mp4" for each in timed)
    assert {name for each in timed if each.part == "parse" for name in each.features} >= {"cabac bit", "macroblock"}


def test_a_walk_has_the_spans_of_a_run(tmp_path):
    path = moving_clip(tmp_path / "clip.mp4")
    spans = walk(path, Wanted(SPEC, frozenset(("image", "motion"))), 2)
    assert set(spans) == {"read", "parse", "prepare", "image"}
    traced = walk(path, Wanted(SPEC.model_copy(update={"accumulate": True}), frozenset(("motion",))), 2)
    assert "trace" in traced


def test_a_stream_of_i_pictures_has_nothing_to_parse(tmp_path):
    with pytest.raises(StreamError, match="all I-pictures"):
        measure_stream(moving_clip(tmp_path / "clip.mp4", g="1"), SPEC)


def test_waiting_is_no_work():
    clock = ThreadClock()
    with clock.span("wait"):
        time.sleep(0.05)
    assert clock.each()["wait"] < 40
    elsewhere = threading.Thread(target=lambda: sum(range(3_000_000)))
    with clock.span("other"):
        elsewhere.start()
        elsewhere.join()
    assert clock.spans == {"wait": 1, "other": 1}
    assert clock.ms["other"] < 20


def test_streams_are_made_as_they_are_described(tmp_path):
    made = [Made(96, 64, 24, 8, 2, 30, 1.0, 32), Made(128, 96, 24, 12, 0, 26, 0.0, 32, cabac=False)]
    one, other = (counts_of(path) for path in make(tmp_path, made))
    assert (one.width, one.height, one.gop, one.cabac) == (96, 64, 8.0, True)
    assert (other.width, other.gop, other.cabac, other.pictures["B"]) == (128, 12.0, False, 0)
    assert one.pictures["B"] > one.pictures["P"]


def test_a_core_is_measured_on_streams_of_its_own():
    steps = []
    made = [Made(176, 144, 16, 8, 0, 24, 2.0, 32), Made(96, 64, 16, 8, 0, 24, 2.0, 32, cabac=False)]
    reference = measure_host("here", lambda done, total, what: steps.append((done, total, what)), made)
    assert reference.processor == "here"
    assert set(reference.nanoseconds) == set(PARTS)
    assert [(done, total) for done, total, _ in steps] == [(0, 2), (1, 2)]
    assert len({each.name for each in MADE}) == len(MADE)
