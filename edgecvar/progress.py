"""How long work says how far it is."""

from __future__ import annotations

from typing import Callable

Progress = Callable[[int, int, str], None]
"""Told how many steps are done, of how many (0: nobody knows), and what comes next."""


def silent(done: int, total: int, what: str) -> None:
    """The Progress that says nothing."""
