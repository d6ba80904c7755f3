"""Figures of predictions as people read them."""

from __future__ import annotations

import pytest

from edgecvar.cli.report.predicted.prediction import bounded
from edgecvar.predict.prediction import Interval


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.00001, "0.000010"), (0.0123, "0.0123"), (2.0, "2"), (999.7, "1,000"), (1500.0, "1,500")],
)
def test_no_figure_is_a_power_of_ten(value, shown):
    assert bounded(Interval(low=value, likely=value, high=value)) == f"{shown} (from {shown} to {shown})"
