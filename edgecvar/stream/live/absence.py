"""How long a live source is away, why, and when it is tried again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Callable, Dict, Optional, Set

from edgecvar.errors import RefusedError, StreamError, UnsupportedCodecError

LATE = 1.0
"""Seconds that a packet may wait for its reader unless said otherwise."""
JITTER = 0.1
"""Of a pause: how much shorter it may be, so that many do not all come back to a server at once."""
_MOST_REASONS = 16
_OTHER = "other reasons"
OR_END = "(--no-reconnect: end)"
"""Ends what is told of a source that is away."""


@dataclass(frozen=True)
class Patience:
    """How a live source is waited for.

    With `reconnect` it is opened again, after pauses that grow from `first` to `longest` seconds, and begin anew after
    `longest` seconds of pictures; what a server refuses is asked for again after the longest. One that is away for
    `wait` seconds, if given, is given up. Packets that have waited for more than `late` seconds fall (see `Attempt`).
    """

    reconnect: bool = True
    wait: Optional[float] = None
    first: float = 1.0
    longest: float = 30.0
    late: Optional[float] = LATE


class Absence:
    """How long and why a source is away: from its making, and from each end of a connection, to a picture."""

    def __init__(self, name: str, patience: Patience, tell: Callable[[str], None]) -> None:
        self._name, self._patience, self._tell = name, patience, tell
        self.failures: Dict[str, int] = {}
        self._seconds = 0.0
        self._since: Optional[float] = time.monotonic()
        self._back = 0.0
        self._told: Set[str] = set()
        self._tries = 0

    @property
    def seconds(self) -> float:
        """How long it was away in all."""
        since = self._since
        return self._seconds + (0.0 if since is None else time.monotonic() - since)

    def begins(self) -> None:
        """A connection has ended."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
            if now - self._back > self._patience.longest:
                self._tries = 0

    def over(self) -> bool:
        """There is a picture: whether it is the first since the source was away."""
        if self._since is None:
            return False
        self._back = time.monotonic()
        away, self._since = self._back - self._since, None
        self._seconds += away
        if self._told:
            self._tell(f"{self._name}: there, after {away:.1f} s")
            self._told.clear()
        return True

    def pause(self, error: StreamError) -> float:
        """Seconds until the next attempt, counted and told; raises the error where there is none."""
        patience, why = self._patience, self._why(error)
        self._count(why)
        if not patience.reconnect:
            raise error
        refused = isinstance(error, (RefusedError, UnsupportedCodecError))
        pause = patience.longest if refused else min(patience.longest, patience.first * 2 ** min(self._tries, 30))
        self._tries += 1
        away = 0.0 if self._since is None else time.monotonic() - self._since
        if patience.wait is not None:
            if away >= patience.wait:
                raise type(error)(f"{error}; given up, as it was away for {away:.0f} s (--wait {patience.wait:g})")
            pause = min(pause, patience.wait - away)
        if why not in self._told and len(self._told) < _MOST_REASONS:
            self._told.add(why)
            how = f"it is asked again every {patience.longest:g} s" if refused else "it is waited for"
            self._tell(f"{self._name}: {why}; {how} {OR_END}")
        return pause * (1 - JITTER * random.random())

    def _why(self, error: StreamError) -> str:
        text = str(error)
        return text[len(self._name) :].lstrip(": ") if text.startswith(self._name) else text

    def _count(self, why: str) -> None:
        known = why if why in self.failures or len(self.failures) < _MOST_REASONS else _OTHER
        self.failures[known] = self.failures.get(known, 0) + 1
