"""All that a service shows: its streams, its newest events."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Deque, Dict, List, Optional

from edgecvar.run.events import Event
from edgecvar.serve.lane import Lane

EVENTS = 200
"""The newest, of all streams."""
PATIENCE = 60.0
"""Seconds that a stream may be away, or be waited for, before the service says that it is not well."""


@dataclass(frozen=True)
class Happening:
    """An event on the page: `number` counts them over all streams, `at` is when it was told, by the wall's clock.

    `change` counts what was said of any of them. `clip` is a file once it is written.
    """

    number: int
    change: int
    stream: str
    at: float
    event: Event
    clip: Optional[Path] = None

    def document(self) -> Dict[str, Any]:
        event = self.event
        end = event.end_seconds
        return {
            "number": self.number,
            "stream": self.stream,
            "at": self.at,
            "label": event.label,
            "seconds": None if end is None else round(end - event.start_seconds, 3),
            "peak": round(event.peak, 4),
            "clip": None if self.clip is None else f"/clips/{self.number}",
        }


class Board:
    """The streams by name, in the order in which they came, and the events of all; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lanes: Dict[str, Lane] = {}
        self._numbers: Dict[str, int] = {}
        self._events: Deque[Happening] = deque(maxlen=EVENTS)
        self._counted = self._changes = 0

    def add(self, lane: Lane) -> None:
        """A stream of a new name, or in place of the one that had it."""
        with self._lock:
            self._lanes[lane.name] = lane
            if lane.name not in self._numbers:
                taken = set(self._numbers.values())
                self._numbers[lane.name] = next(number for number in count() if number not in taken)

    def remove(self, name: str) -> None:
        with self._lock:
            self._lanes.pop(name, None)
            self._numbers.pop(name, None)

    @property
    def lanes(self) -> List[Lane]:
        with self._lock:
            return list(self._lanes.values())

    def lane(self, name: str) -> Optional[Lane]:
        with self._lock:
            return self._lanes.get(name)

    def number(self, name: str) -> int:
        """Of a stream, by which messages name it, for as long as it is here; -1 where there is none."""
        with self._lock:
            return self._numbers.get(name, -1)

    def event(self, stream: str, event: Event, clip: Optional[Path] = None) -> None:
        """An event begins, goes on, has ended, or has its clip: told under the same number of the same stream."""
        with self._lock:
            self._changes += 1
            for place, each in enumerate(self._events):
                if each.stream == stream and each.event.number == event.number and each.event.end_seconds is None:
                    self._events[place] = replace(each, event=event, change=self._changes, clip=clip or each.clip)
                    return
            self._events.append(Happening(self._counted, self._changes, stream, time.time(), event, clip))
            self._counted += 1

    def clip(self, stream: str, number: int, clip: Path) -> None:
        """The clip of a stream's newest event of that number is there."""
        with self._lock:
            for place in range(len(self._events) - 1, -1, -1):
                each = self._events[place]
                if each.stream == stream and each.event.number == number:
                    self._changes += 1
                    self._events[place] = replace(each, clip=clip, change=self._changes)
                    return

    def events(self, after: int = 0) -> List[Happening]:
        """Those of which something was said after change `after`, in their order."""
        with self._lock:
            return [each for each in self._events if each.change > after]

    def happening(self, number: int) -> Optional[Happening]:
        with self._lock:
            return next((each for each in self._events if each.number == number), None)

    def stuck(self) -> bool:
        """Whether streams run, and none of them has had a decision for long: what decides stands still."""
        running = [lane for lane in self.lanes if lane.state[0] == "running"]
        return bool(running) and all(lane.stuck(PATIENCE) for lane in running)

    def wrong(self) -> List[str]:
        """What is not well with the streams, each in one line."""
        said = []
        for lane in self.lanes:
            state, why, since = lane.state
            begun = time.strftime("%H:%M:%S", time.localtime(since))  # a duration would be another text each second
            reason = f": {why}" if why else ""
            if state == "failed":
                said.append(f"{lane.name}: failed{reason}")
            elif state in ("away", "waiting") and time.time() - since > PATIENCE:
                said.append(f"{lane.name}: {state} since {begun}{reason}")
        return said
