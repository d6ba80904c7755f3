"""The search finds the most streams that hold, in few trials, also where a trial goes wrong by chance."""

from __future__ import annotations

import pytest

from edgecvar.bench.streams.search import Search


def found(capacity, start=2, most=256, fails=()):
    """What is found where `capacity` streams hold, and all that was tried; the trials numbered in `fails` fail."""
    search, tried = Search(start, most), []
    while search.next is not None:
        tried.append(search.next)
        search.tried(search.next <= capacity and len(tried) not in fails)
    return search, tried


@pytest.mark.parametrize("start", [1, 2, 5, 16])
@pytest.mark.parametrize("capacity", range(33))
def test_small_numbers_are_found_exactly(capacity, start):
    search, tried = found(capacity, start)
    assert search.holding == capacity and not search.capped
    assert len(tried) <= 17 and all(number >= 1 for number in tried)
    assert all(tried.count(number) == 1 for number in tried if number <= capacity)
    assert all(tried.count(number) == 2 for number in tried if number > capacity)


@pytest.mark.parametrize("capacity", [40, 63, 64, 100, 255, 999])
def test_large_numbers_are_found_to_a_sixteenth(capacity):
    search, tried = found(capacity, most=4096)
    assert capacity * 15 / 16 - 1 <= search.holding <= capacity
    assert len(tried) < 30


def test_it_stops_at_the_most_that_is_asked_for():
    search, tried = found(1000, start=4, most=10)
    assert (search.holding, search.capped, tried) == (10, True, [4, 8, 10])
    assert found(0, start=8, most=3)[1][:2] == [3, 3]


def test_one_trial_that_something_else_spoils_changes_nothing():
    for spoilt in range(1, 8):
        assert found(13, fails=(spoilt,))[0].holding == 13


def test_it_can_be_ended():
    search = Search(1, 8)
    search.tried(True)
    search.end()
    assert search.next is None and search.holding == 1 and not search.capped
