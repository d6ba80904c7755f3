"""Figures with bounds keep their order through arithmetic."""

from __future__ import annotations

import math

from edgecvar.predict.prediction import Interval

ONE = Interval(low=1, likely=2, high=4)


def test_bounds_are_scaled_and_added_each_with_its_own():
    assert ONE.times(3) == Interval(low=3, likely=6, high=12)
    assert ONE.plus(Interval(low=10, likely=20, high=30)) == Interval(low=11, likely=22, high=34)


def test_the_lowest_rate_is_that_of_the_highest_time():
    assert ONE.rate() == Interval(low=250, likely=500, high=1000)
    assert ONE.times(0).rate() == Interval(low=math.inf, likely=math.inf, high=math.inf)
