"""What a feed tells a run, picture by picture."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edgecvar.bench.clock import SpanClock
from edgecvar.clips.clock import NoClock
from edgecvar.clips.display_progress import DisplayProgress
from edgecvar.clips.feed import Demand, Feed
from edgecvar.clips.messages import Coming, SampledPicture, SecondWindow, Settled
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.stream.clock import MAX_REORDER
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip
from tests.run.scripted import SPEC, Content, ScriptedStream


def told(stream, sources=("motion",), adjacent=False, every=1):
    """After how many pictures what is told, by its type."""
    feed = Feed(stream, SPEC, Demand(frozenset(sources), adjacent, every), NoClock())
    return [(stream.given, type(message).__name__) for message in feed.messages()]


def test_the_feed_can_be_left_after_any_picture():
    expected = [(1, "NoneType"), (2, "NoneType"), (3, "SampledPicture"), (3, "Settled"), (4, "NoneType")]
    assert told(ScriptedStream("PIPPP"), every=100) == [*expected, (5, "NoneType")]


def test_a_second_window_is_told_of_where_samples_of_the_first_wait_for_it():
    def second_windows(script, adjacent):
        messages = told(ScriptedStream(script), ("image", "motion"), adjacent)
        return [given for given, kind in messages if kind == SecondWindow.__name__]

    assert second_windows("IP" + "IP" + "IP", adjacent=True) == [3]
    assert second_windows("IP" + "IP" + "IP", adjacent=False) == []
    assert second_windows("I" + "IP" + "IP", adjacent=True) == []


def test_i_pictures_are_decoded_ahead_where_they_are_needed(monkeypatch):
    decoded = []
    planes = Content.planes

    def told_of(content):
        decoded.append((content.index, threading.current_thread().name.startswith("appearance")))
        return planes(content)

    monkeypatch.setattr(Content, "planes", told_of)
    told(ScriptedStream("IPPIPPIPP"), ("image", "motion"))
    assert decoded == [(0, True), (3, True), (6, True)]
    decoded.clear()
    told(ScriptedStream("IP" * 7), ("image", "motion"), every=6)  # of windows 0, 8 and 12
    assert decoded == [(0, True), (2, True), (8, True), (10, True), (12, True)]  # of 2 and 10 no sample came
    assert not any(thread.name.startswith("appearance") for thread in threading.enumerate())


def test_the_reader_goes_on_while_an_i_picture_is_decoded(monkeypatch):
    read_on, plain = threading.Event(), Content.planes

    def slow(content):
        assert read_on.wait(60)
        return plain(content)

    monkeypatch.setattr(Content, "planes", slow)
    stream = ScriptedStream("IPP" + "IPP")
    feed = Feed(stream, SPEC, Demand(frozenset({"image", "motion"}), True, 1), NoClock())
    coming = []
    for message in feed.coming():
        coming.append(message)
        if stream.given == 6:
            read_on.set()
    assert feed.counts.sampled == 0  # none was asked for
    given = [message.message() if isinstance(message, Coming) else message for message in coming]
    assert [sample.current.index for sample in given if isinstance(sample, SampledPicture)] == [0, 0, 3, 3]
    assert [second.appearance.index for second in given if isinstance(second, SecondWindow)] == [3]
    assert feed.counts.sampled == 4


def test_who_waits_for_a_sample_prepares_it(tmp_path):
    path, spec = moving_clip(tmp_path / "clip.mp4", 40, bf="2"), InputSpec(height=32, width=32, gop_length=12, stride=4)
    demand = Demand(frozenset({"image", "motion", "residual", "intra"}), True, 4)

    def samples(awaited):
        """Those of the stream, and how many of them were prepared by the reader."""
        clock = SpanClock()
        with open_stream(path, on_demand=True) as stream:
            feed = Feed(stream, spec, demand, clock)
            coming = [message for message in feed.coming(awaited=lambda: awaited) if isinstance(message, Coming)]
            prepared = len(clock.spans_ms().get("prepare", []))
            given = [message.message() for message in coming]
        return [message for message in given if isinstance(message, SampledPicture)], prepared

    (first, all_of_them), (second, none) = samples(False), samples(True)
    assert len(first) == len(second) == all_of_them == 10 and none == 0
    for one, other in zip(first, second):
        assert (one.decode_index, one.current.index) == (other.decode_index, other.current.index)
        for source in ("motion", "residual", "intra"):
            np.testing.assert_array_equal(one.inputs[source], other.inputs[source])


def test_who_waits_for_a_stream_without_images_is_told(monkeypatch):
    monkeypatch.setattr(Content, "planes", lambda content: None)
    feed = Feed(ScriptedStream("IP"), SPEC, Demand(frozenset({"image", "motion"}), False, 1), NoClock())
    (sample,) = (message for message in feed.coming() if isinstance(message, Coming))
    for _ in range(2):
        with pytest.raises(StreamError, match="picture 0 has no image"):
            sample.message()


def test_what_is_decoded_ahead_in_vain_is_counted_when_it_is_needed(monkeypatch):
    def planes(content):
        if content.index == 3:
            raise StreamError("it cannot be decoded")
        return plain(content)

    plain = Content.planes
    monkeypatch.setattr(Content, "planes", planes)
    stream = ScriptedStream("IPPIPPIPP")
    feed = Feed(stream, SPEC, Demand(frozenset({"image", "motion"}), False, 1), NoClock())
    sampled = [message.current.index for message in feed.messages() if isinstance(message, SampledPicture)]
    assert sampled == [0, 0, 6, 6] and feed.counts.unusable == {"I-picture that cannot be decoded": 2}


def test_samples_are_settled_when_all_that_is_displayed_before_them_has_been_read():
    messages = told(ScriptedStream("IPBBP", shown=[0, 3, 1, 2, 4]))
    assert [given for given, kind in messages if kind == Settled.__name__] == [3, 4, 5]  # of 1; of 2 and 3; of 4


def test_a_picture_that_does_not_come_holds_up_no_more_than_a_reordering_can():
    progress = DisplayProgress()
    assert [progress.push(index) for index in (0, 1)] == [1, 2]
    held = [progress.push(index) for index in range(3, 3 + MAX_REORDER + 1)]
    assert held == [2] * MAX_REORDER + [3 + MAX_REORDER + 1]
