"""Which recipe fits a user's clips."""

from __future__ import annotations

from typing import Optional, Tuple

CHOICES: Tuple[Tuple[str, Optional[int]], ...] = (("auto/few", 400), ("auto/many", None))
"""Shipped recipes, each with the number of clips, training and validation together, up to which it is taken."""


def choose_recipe(clips: int) -> Tuple[str, str]:
    """(name, why) of the recipe for so many clips."""
    least = 0
    for name, most in CHOICES:
        if most is None:
            return name, f"for more than {least} clips"
        if clips <= most:
            return name, f"for up to {most} clips"
        least = most
    raise AssertionError("the last choice has no bound")
