"""What a feed tells a run, picture by picture."""

from __future__ import annotations

from edgecvar.clips.clock import NoClock
from edgecvar.clips.display_progress import DisplayProgress
from edgecvar.clips.feed import Demand, Feed, SecondWindow, Settled
from edgecvar.stream.clock import MAX_REORDER
from tests.run.scripted import SPEC, ScriptedStream


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


def test_samples_are_settled_when_all_that_is_displayed_before_them_has_been_read():
    messages = told(ScriptedStream("IPBBP", shown=[0, 3, 1, 2, 4]), every=9)
    assert [given for given, kind in messages if kind == Settled.__name__] == [4]


def test_a_picture_that_does_not_come_holds_up_no_more_than_a_reordering_can():
    progress = DisplayProgress()
    assert [progress.push(index) for index in (0, 1)] == [1, 2]
    held = [progress.push(index) for index in range(3, 3 + MAX_REORDER + 1)]
    assert held == [2] * MAX_REORDER + [3 + MAX_REORDER + 1]
