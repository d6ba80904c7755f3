"""Which recipes are tried on a user's clips."""

from __future__ import annotations

from typing import List, Optional, Tuple

CHOICES: Tuple[Tuple[Tuple[str, ...], Optional[int]], ...] = (
    (("auto/motion", "auto/appearance"), 1000),
    (("auto/many",), None),
)
"""Shipped recipes, each row with the number of clips, training and validation together, up to which it is taken.

Of a row's recipes the first that names every clip that validates is kept, else the one that names most.
"""


def choose_recipes(clips: int) -> Tuple[List[str], str]:
    """(names, why) of the recipes for so many clips."""
    least = 0
    for names, most in CHOICES:
        if most is None:
            return list(names), f"for more than {least} clips"
        if clips <= most:
            return list(names), f"for up to {most} clips"
        least = most
    raise AssertionError("the last choice has no bound")
