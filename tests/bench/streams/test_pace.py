"""A paced file gives each picture at its moment and never before, and tells how late what was made of it came."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgecvar.bench.streams.pace import SETTLED, Pace, PacedStream, Period
from edgecvar.bench.streams.session import LATE
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip

FPS = 10.0


class Time:
    """A clock that waiting alone moves on; `broken` once a trial is broken off."""

    def __init__(self, now=0.0):
        self.time, self.broken, self.waits = now, False, []

    def now(self):
        return self.time

    def wait(self, seconds):
        self.waits.append(seconds)
        self.time += seconds
        return self.broken

    def break_off(self):
        self.broken = True


def pace_of(time, begin=100.0, first=101.0, end=110.0):
    return Pace(begin, FPS, Period(first, end), time)


def test_pictures_come_at_the_rate_of_the_camera_from_its_own_beginning_on():
    time = Time(99.0)
    pace = pace_of(time, begin=100.5)
    assert [pace.arrival(number) for number in range(4)] == pytest.approx([100.5, 100.6, 100.7, 100.8])
    assert time.time == pytest.approx(100.8)


def test_whoever_is_behind_does_not_wait():
    time = Time(100.0)
    pace = pace_of(time)
    time.time = 100.75
    assert pace.arrival(5) == pytest.approx(100.5) and time.waits == [0.0]


def test_a_file_that_ends_goes_on_where_it_was():
    pace = pace_of(Time(100.0))
    for number in range(4):
        pace.arrival(number)
    pace.again()  # it has three pictures, and the fourth was waited for in vain
    assert pace.arrival(0) == pytest.approx(100.3)
    assert pace.arrival(1) == pytest.approx(100.4)


def test_nothing_comes_after_the_end():
    pace = pace_of(Time(100.0), end=100.25)
    assert [pace.arrival(number) is None for number in range(4)] == [False, False, False, True]
    assert pace.over and not pace.left_out


def test_pictures_that_nobody_reads_break_the_trial_off():
    time = Time(100.0)
    pace = pace_of(time, first=100.0)
    time.time = 103.0
    assert pace.arrival(5) is not None  # 2.5 s late, but nothing has been measured yet
    number = int(FPS * SETTLED) + 1
    assert pace.arrival(number) is None
    assert pace.left_out == int((103.0 - 101.1) * FPS) and time.broken and pace.over


def test_a_trial_that_is_broken_off_ends_those_who_wait():
    time = Time(100.0)
    time.broken = True
    assert pace_of(time).arrival(3) is None


def test_decisions_are_late_by_what_lies_between_them_and_their_picture():
    time = Time(100.0)
    pace = pace_of(time, first=101.0)
    time.time = 101.5
    pace.decided(100.9)  # before anything is measured
    pace.decided(101.2)
    assert pace.lateness == [(pytest.approx(0.2), pytest.approx(0.3))]
    time.time = 103.0
    pace.decided(101.5)
    assert not time.broken  # too early to be broken off
    pace.decided(103.0 - LATE - 0.01)
    assert not time.broken
    time.time = 104.0
    pace.decided(102.0 + SETTLED / 2)
    assert time.broken and len(pace.lateness) == 4


def test_a_stream_is_read_no_sooner_than_its_pictures_come(tmp_path):
    time = Time(0.0)
    pace = Pace(0.0, FPS, Period(0.0, 3.0), time)
    with open_stream(moving_clip(tmp_path / "b.mp4", pictures=40, bf="2")) as stream:
        paced = PacedStream(stream, pace.arrival)
        assert (paced.info, paced.summary) == (stream.info, stream.summary)
        moments = [(picture.decode_index, time.time) for picture in paced]
    assert moments == [(number, pytest.approx(number / FPS)) for number in range(30)]


def test_pictures_that_are_missing_leave_their_moment_empty():
    pictures = [SimpleNamespace(decode_index=number) for number in (0, 3, 4)]
    asked = []

    class Stream:
        info = summary = None

        def __iter__(self):
            return iter(pictures)

    def arrival(number):
        asked.append(number)
        return 0.0

    assert len(list(PacedStream(Stream(), arrival))) == 3
    assert asked == [0, 1, 4, 5]
