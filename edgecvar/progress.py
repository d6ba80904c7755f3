"""How long work says how far it is."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Callable

from edgecvar.terminal import say

Progress = Callable[[int, int, str], None]
"""Told how many steps are done, of how many (0: nobody knows), and what comes next."""

INTERVAL = 5.0
"""Seconds between two lines where no terminal draws a bar; shorter work says nothing."""


def silent(done: int, total: int, what: str) -> None:
    """The Progress that says nothing."""


class ProgressLines:
    """A line on standard error every few seconds, from a thread of its own: a single step may take minutes."""

    def __init__(self, what: str = "starting") -> None:
        self._state = (0, 0, what)
        self._begun = time.monotonic()
        self._over = Event()
        self._thread = Thread(target=self._tell, name="progress", daemon=True)

    def __enter__(self) -> ProgressLines:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def show(self, done: int, total: int, what: str) -> None:
        """A Progress."""
        self._state = (done, total, what)

    def _tell(self) -> None:
        while not self._over.wait(INTERVAL):
            done, total, what = self._state
            count = f": {done} of {total}" if total else ""
            say(f"{what}{count}, {time.monotonic() - self._begun:.0f} s", err=True)
