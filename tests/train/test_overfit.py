"""Every network learns 20 synthetic clips by heart, by the objective that its recipe names."""

from __future__ import annotations

from typing import Callable

import pytest

from edgecvar.nets.catalog import NETWORKS
from tests.small_networks import SMALL, ByHeart, of_one_worker

pytestmark = pytest.mark.train


def test_every_network_has_a_small_form() -> None:
    assert {small.model or name for name, small in SMALL.items()} == set(NETWORKS)


@pytest.mark.parametrize("name", of_one_worker(SMALL))
def test_it_learns_twenty_clips_by_heart(by_heart: Callable[[str], ByHeart], name: str) -> None:
    learnt = by_heart(name)
    assert learnt.before < 0.5
    assert learnt.after == 1.0
