"""Decode and display times of a clip's packets."""

from __future__ import annotations

import pytest

from edgecvar.sinks.clips.mp4 import ticks


@pytest.mark.parametrize(
    "shown, expected",
    [
        ([5.0, 5.1, 5.2], [(0, 0), (9000, 9000), (18000, 18000)]),
        ([0.0, 0.3, 0.1, 0.2], [(0, -9000), (27000, 0), (9000, 9000), (18000, 18000)]),
        ([0.0, 0.4, 0.2, 0.1, 0.3], [(0, -18000), (36000, -9000), (18000, 0), (9000, 9000), (27000, 18000)]),
        ([1.0], [(0, 0)]),
        ([1.0, 1.0, 1.0], [(0, 0), (1, 1), (2, 2)]),
    ],
)
def test_each_is_decoded_before_it_is_shown_and_one_after_the_other(shown, expected):
    assert ticks(shown) == expected
