"""Events of constructed scores: where they begin, how long they last, what ends them, what never is one."""

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.errors import ConfigError
from edgecvar.run.decisions import Decision
from edgecvar.run.event_settings import EventSettings, background_of
from edgecvar.run.events import EventTracker

LABELS = ("fight", "wave", "noFight")
PLAIN = {"on": 0.7, "off": 0.3, "smoothing": 0.0, "hold": 0.0, "shortest": 0.0, "cooldown": 0.0}


def told(scores, step=0.1, breaks=(), label="fight", **settings):
    """What a tracker tells of `label` having these probabilities one after the other, and at the end of the run."""
    tracker = EventTracker(LABELS, EventSettings(**{**PLAIN, **settings}))
    events = []
    for number, score in enumerate(scores):
        probabilities = np.array([score if each == label else 0.0 for each in LABELS])
        events += tracker.push(number * step, probabilities, number in breaks)
    return events + tracker.finish()


def spans(events):
    """(start, end) of those that have ended, in tenths of a second."""
    return [(round(e.start_seconds * 10), round(e.end_seconds * 10)) for e in events if e.end_seconds is not None]


def test_an_event_begins_where_the_score_rose_and_ends_where_it_fell():
    began, ended = told([0.1, 0.4, 0.8, 0.9, 0.5, 0.2, 0.1])
    assert (began.end_seconds, began.number, began.label) == (None, 0, "fight")
    assert (began.start_seconds, began.peak) == (pytest.approx(0.1), 0.8)
    assert spans([ended]) == [(1, 5)] and (ended.peak, ended.peak_seconds) == (0.9, pytest.approx(0.3))
    assert ended.number == began.number


def test_between_the_thresholds_nothing_begins_and_nothing_ends():
    assert told([0.5] * 20) == []
    assert spans(told([0.9] + [0.4] * 10 + [0.2] + [0.6] * 5)) == [(0, 11)]


@pytest.mark.parametrize("high, heard", [(3, False), (4, True)])
def test_the_score_must_hold_for_a_time(high, heard):
    assert bool(told([0.1] + [0.9] * high + [0.1] * 3, hold=0.3)) is heard
    assert told([0.9, 0.9, 0.5, 0.9, 0.9, 0.1], hold=0.3) == []  # held anew each time


def test_what_is_held_is_told_then_and_began_before():
    tracker = EventTracker(LABELS, EventSettings(**{**PLAIN, "hold": 0.3}))
    when = [n for n in range(10) if tracker.push(n * 0.1, np.array([0.9, 0.0, 0.0]))]
    assert when == [3] and tracker.finish()[0].start_seconds == 0.0


@pytest.mark.parametrize("high, heard", [(4, False), (6, True)])
def test_what_is_shorter_than_the_shortest_is_never_told(high, heard):
    events = told([0.1] + [0.9] * high + [0.1], shortest=0.45)
    assert len(events) == (2 if heard else 0)


def test_after_an_event_its_label_rests():
    twice = [0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.9, 0.1]
    assert spans(told(twice)) == [(0, 2), (3, 7)]
    assert spans(told(twice, cooldown=0.25)) == [(0, 2), (5, 7)]
    assert spans(told(twice, cooldown=5)) == [(0, 2)]


def test_a_break_ends_an_event_and_forgets_the_past():
    assert spans(told([0.9] * 10, breaks=(4,))) == [(0, 3), (4, 9)]
    assert spans(told([0.9] * 10, breaks=(4,), hold=0.35)) == [(4, 9)]  # the first four do not count for the others
    assert spans(told([0.9, 0.1, 0.1, 0.9, 0.9], breaks=(2,), cooldown=60)) == [(0, 1), (3, 4)]


def test_the_end_of_the_run_ends_what_is_open_and_tells_nothing_else():
    assert spans(told([0.1, 0.9, 0.9])) == [(1, 2)]
    assert told([0.1, 0.9, 0.9], hold=1) == [] and EventTracker(LABELS, EventSettings()).finish() == []


@pytest.mark.parametrize("step", [0.02, 0.1, 0.25])
def test_smoothing_is_by_seconds_whatever_the_rate(step):
    """A score that jumps from 0 to 1 reaches 0.7 after -ln(0.3) time constants."""
    tracker = EventTracker(LABELS, EventSettings(**{**PLAIN, "smoothing": 1.0, "off": 0.7}))
    tracker.push(-step, np.zeros(3))
    at = next(n for n in range(1000) if tracker.push(n * step, np.array([1.0, 0.0, 0.0])))
    assert at * step + step >= 1.2039 > at * step


def test_labels_have_settings_of_their_own_and_do_not_meet():
    tracker = EventTracker(LABELS, EventSettings(**{**PLAIN, "on": 0.4, "labels": {"wave": {"on": 0.6}}}))
    first = tracker.push(0.0, np.array([0.45, 0.55, 0.0]))
    second = tracker.push(0.1, np.array([0.1, 0.65, 0.0]))
    assert [(e.number, e.label, e.end_seconds) for e in first + second] == [
        (0, "fight", None),
        (0, "fight", 0.1),  # what has ended is told first
        (1, "wave", None),
    ]
    assert second[1].start_seconds == 0.0


def test_a_background_class_never_gives_an_event():
    assert told([0.9] * 9, label="noFight") == []
    assert len(told([0.9] * 9, label="noFight", background=())) == 2
    assert told([0.9] * 9, label="wave", background=("wave",)) == []


def test_which_labels_are_background_by_their_name():
    def found(*labels):
        return sorted(background_of(EventSettings(), labels))

    assert found("fight", "noFight") == ["noFight"] and found("Violence", "Non-Violence") == ["Non-Violence"]
    assert found("background", "Nothing", "No gesture", "other", "still") == ["No gesture", "Nothing", "background"]
    assert found("nonsense", "notice", "no", "nod", "d", "not") == []


def test_settings_of_a_label_that_is_not_there_name_the_nearest():
    with pytest.raises(ConfigError, match="unknown label 'fihgt' in the events: did you mean 'fight'"):
        EventTracker(LABELS, EventSettings(labels={"fihgt": {"on": 0.9}}))
    with pytest.raises(ConfigError, match="unknown label 'nothing'"):
        EventTracker(LABELS, EventSettings(background=("nothing",)))


def test_decisions_are_followed_by_their_own_scores():
    tracker = EventTracker(LABELS, EventSettings(**PLAIN))

    def decision(seconds, scores, opens=""):
        return Decision(seconds, 0, 0, "wave", 0.9, (("wave", 0.9),), 1.0, np.array(scores, np.float32), opens)

    (began,) = tracker.decision(decision(0.0, [9, 0, 0]))
    ended, again = tracker.decision(decision(0.1, [9, 0, 0], "timestamps went back"))
    assert (began.label, ended.end_seconds, again.number) == ("fight", 0.0, 1)
