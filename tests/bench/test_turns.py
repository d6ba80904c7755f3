"""Measurements that take turns."""

from __future__ import annotations

import pytest

from edgecvar.bench.turns import in_turns


def measurement(name, turns, log):
    try:
        for turn in range(turns):
            log.append(f"{name}{turn}")
            yield
        return name
    finally:
        log.append(f"{name} over")


def test_every_round_begins_with_another_one_and_ends_without_those_that_are_over():
    log = []
    assert in_turns([measurement("a", 3, log), measurement("b", 1, log), measurement("c", 2, log)]) == ["a", "b", "c"]
    assert log == ["a0", "b0", "c0", "b over", "c1", "a1", "a2", "c over", "a over"]


def test_one_alone_goes_through():
    log = []
    assert in_turns([measurement("a", 2, log)]) == ["a"]
    assert log == ["a0", "a1", "a over"]


def test_one_that_fails_ends_the_others():
    def failing():
        yield
        raise ZeroDivisionError

    log = []
    with pytest.raises(ZeroDivisionError):
        in_turns([measurement("a", 9, log), failing()])
    assert log == ["a0", "a over"]
