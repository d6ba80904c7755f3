"""A stream whose clock turns, again and again, at full speed: times rise and memory is flat."""

from __future__ import annotations

from pathlib import Path

from tests.stream.looped import LENGTH, run_looped
from tests.stream.transport import TURN


def test_memory_is_flat_and_times_rise_while_the_clock_turns(tmp_path: Path) -> None:
    """Minutes and hours of it: python -m tests.stream.looped SECONDS."""
    looped = run_looped(tmp_path, 3.0, 1.05, TURN - 20 * LENGTH, every=20)
    assert looped.turns > 1
    assert looped.growth < 0.05
