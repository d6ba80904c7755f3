"""Costs that are known are found again, and none comes out negative."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from edgecvar.predict.host.cost import PARTS
from edgecvar.predict.host.fit import Timed, fit_host, least_squares


def by_trying_all(rows, targets):
    """The smallest residual of all subsets of columns whose solution is not negative."""
    columns = range(rows.shape[1])
    best = np.linalg.norm(targets)
    for count in range(1, rows.shape[1] + 1):
        for chosen in combinations(columns, count):
            part = rows[:, list(chosen)]
            x = np.linalg.lstsq(part, targets, rcond=None)[0]
            if (x >= 0).all():
                best = min(best, np.linalg.norm(part @ x - targets))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_no_other_costs_that_are_not_negative_are_nearer(seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(9, 5)) * 10.0 ** rng.integers(-3, 4, 5)
    targets = rng.normal(size=9)
    x = least_squares(rows, targets)
    assert (x >= 0).all()
    assert np.linalg.norm(rows @ x - targets) == pytest.approx(by_trying_all(rows, targets), rel=1e-6)


def test_a_column_of_nothing_costs_nothing():
    rows = np.array([[1.0, 0.0], [2.0, 0.0]])
    assert least_squares(rows, np.array([3.0, 6.0])).tolist() == pytest.approx([3.0, 0.0])


def timed(part, count, noise=1.0):
    features = {"picture": 1.0, "pixel": 1000.0 * count, "bit": 50.0 * count**2}
    return Timed(part, "clip", features, (20_000 + 2 * features["pixel"] + 3 * features["bit"]) / 1e6 * noise)


def test_costs_are_found_again_of_what_they_made():
    reference = fit_host([timed(part, count) for part in PARTS for count in range(1, 6)], "a core", "made up")
    assert reference.processor == "a core"
    for part in PARTS:
        assert reference.nanoseconds[part] == pytest.approx({"picture": 20_000, "pixel": 2, "bit": 3}, rel=1e-3)
        assert reference.errors[part] == pytest.approx(1.0, abs=1e-3)
    assert reference.ms("read", timed("read", 9).features) == pytest.approx(timed("read", 9).ms, rel=1e-3)


def test_what_does_not_fit_is_in_the_errors():
    rows = [timed(part, count, 1.5 if count % 2 else 1 / 1.5) for part in PARTS for count in range(1, 9)]
    assert 1.3 < fit_host(rows, "", "").errors["parse"] < 2.2


def test_a_part_that_was_not_measured_is_named():
    with pytest.raises(ValueError, match="'trace'"):
        fit_host([timed(part, 1) for part in PARTS if part != "trace"], "", "")
