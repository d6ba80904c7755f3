"""The search by halves for the first layer that goes wrong."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecvar.judge.layers import first_fault


@given(st.integers(1, 200), st.sets(st.integers(0, 199)))
def test_the_first_that_is_wrong_is_found(size, wrong):
    names = [str(number) for number in range(size)]
    rounds = []

    def faults(marked):
        rounds.append(len(marked))
        return {name: f"wrong {name}" for name in marked if int(name) in wrong}

    bad = sorted(number for number in wrong if number < size)
    expected = (str(bad[0]), f"wrong {bad[0]}") if bad else None
    assert first_fault(names, faults) == expected
    assert len(rounds) <= 2 * math.ceil(math.log2(size)) + 2
    assert not bad or rounds[-1] == 1  # marked alone in the end


def test_a_fault_that_marks_alone_mend_is_still_told():
    """An engine that fuses less around a mark may not show there what it showed before."""

    def faults(marked):
        return {name: "infinite" for name in marked if name == "c" and len(marked) > 1}

    assert first_fault(list("abcdef"), faults) == ("c", "infinite")


@pytest.mark.parametrize("names", [[], ["a"], list("abc")])
def test_where_nothing_is_wrong_nothing_is_found(names):
    assert first_fault(names, lambda marked: {}) is None
