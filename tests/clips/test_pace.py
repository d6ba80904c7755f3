"""Fewer pictures are sampled while decisions come late, and as many as before once they do not."""

from __future__ import annotations

from typing import Iterator, List

import pytest

from edgecvar.clips import pace as paces
from edgecvar.clips.pace import CALM, MOST, Pace


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[List[float]]:
    time = [100.0]
    monkeypatch.setattr(paces.time, "perf_counter", lambda: time[0])
    yield time


def test_every_doubles_up_to_a_bound_and_late_samples_are_left_out(now: List[float]) -> None:
    pace = Pace(2, 1.0)
    assert pace.keeps(99.5) and pace.every == 2
    assert not pace.keeps(98.5) and pace.every == 4
    assert not pace.keeps(98.6) and pace.every == 4  # on its way when it doubled
    for _ in range(10):
        now[0] += 2
        assert not pace.keeps(now[0] - 1.5)
    assert pace.every == 2 * MOST


def test_it_halves_after_calm_and_never_below_what_was_asked_for(now: List[float]) -> None:
    pace = Pace(3, 1.0)
    pace.keeps(98.0)
    now[0] += 2
    pace.keeps(now[0] - 1.5)
    assert pace.every == 12
    now[0] += CALM - 1
    assert pace.keeps(now[0] - 0.7) and pace.every == 12  # in time, though not by much
    now[0] += 2
    assert pace.keeps(now[0]) and pace.every == 12
    for expected in (6, 3, 3):
        now[0] += CALM + 1
        assert pace.keeps(now[0]) and pace.every == expected


def test_without_a_bound_nothing_changes(now: List[float]) -> None:
    pace = Pace(1, None)
    assert pace.keeps(0.0) and pace.every == 1
