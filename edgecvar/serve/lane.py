"""What is known of one stream of a service: its state, its newest decisions, its events, what it looks like."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Deque, Dict, List, Literal, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.serve.page.view import Motion, thin_motion
from edgecvar.stream.types import CodedPicture, StreamInfo

State = Literal["waiting", "running", "away", "ended", "failed"]
"""`waiting`: not open yet; `away`: it was, or could not be opened, and is tried again; `failed`: it is not."""
STRIP = 600
"""Decisions that are kept to be drawn."""
TIMES = 512
"""Of decisions, by which latency is stated."""
RATE_OVER = 4.0
"""Seconds over which rates are counted."""


@dataclass(frozen=True)
class Point:
    """One decision in the strip: `number` counts those of its stream, `at` is wall time."""

    number: int
    at: float
    label: str
    probability: float


class Rate:
    """How many a second, over the newest seconds."""

    def __init__(self) -> None:
        self._times: Deque[float] = deque(maxlen=1024)

    def count(self) -> None:
        self._times.append(time.monotonic())

    def value(self) -> float:
        since = time.monotonic() - RATE_OVER
        return sum(1 for moment in list(self._times) if moment > since) / RATE_OVER


class Lane:
    """Written to by the threads of its stream, read by the page; bounded.

    `looked_at` counts those who look: motion is kept, and pictures are decoded, for them alone.
    """

    def __init__(self, name: str, uri: str, added: bool) -> None:
        self.name, self.uri, self.added = name, uri, added
        self.looked_at = 0
        self._lock = threading.Lock()
        self._state: State = "waiting"
        self._why = ""
        self._since = time.time()
        self._info: Optional[StreamInfo] = None
        self._newest: Optional[Decision] = None
        self._strip: Deque[Point] = deque(maxlen=STRIP)
        self._latencies: Deque[float] = deque(maxlen=TIMES)
        self._decisions, self._opened = 0, 0
        self._decided_at = 0.0
        self._pictures, self._decided = Rate(), Rate()
        self._counts: Optional[RunSummary] = None
        self._image: Tuple[int, Optional[CodedPicture]] = (0, None)
        self._motion: Tuple[int, Optional[Motion]] = (0, None)

    def tell(self, state: State, why: str = "") -> bool:
        """A new state, or reason; whether it is new."""
        with self._lock:
            if (state, why) == (self._state, self._why):
                return False
            if state != self._state:
                self._since = time.time()
            self._state, self._why = state, why
            return True

    def opened(self, info: StreamInfo) -> None:
        with self._lock:
            self._info = info
            self._opened += 1
            self._newest = None
            self._image, self._motion = (self._image[0] + 1, None), (self._motion[0] + 1, None)

    def decision(self, decision: Decision) -> None:
        point = Point(self._decisions, time.time(), decision.label, decision.probability)
        with self._lock:
            self._decisions += 1
            self._newest = decision
            self._strip.append(point)
            self._latencies.append(decision.latency_ms)
            self._decided.count()
            self._decided_at = time.monotonic()

    def counted(self, summary: RunSummary) -> None:
        with self._lock:
            self._counts = summary

    def picture(self, picture: CodedPicture, velocity: Optional[NDArray[np.float32]]) -> None:
        """Called in the reader thread (`edgecvar.clips.feed.Watcher`); costs nothing while nobody looks."""
        self._pictures.count()
        if picture.opens is not None:
            with self._lock:
                self._info = picture.opens.info
        if picture.has_image and picture.shown:  # kept as it came: it is decoded for whoever looks
            with self._lock:
                self._image = (self._image[0] + 1, picture)
        if self.looked_at and picture.shown and velocity is not None and self._info is not None:
            motion = thin_motion(velocity, self._info)
            with self._lock:
                self._motion = (self._motion[0] + 1, motion)

    def look(self, more: int) -> None:
        """So many more look at it, or fewer."""
        with self._lock:
            self.looked_at += more
            if not self.looked_at:
                self._motion = (self._motion[0] + 1, None)

    @property
    def state(self) -> Tuple[State, str, float]:
        """State, why, and since when by the wall's clock."""
        with self._lock:
            return self._state, self._why, self._since

    def stuck(self, seconds: float) -> bool:
        """Whether pictures come, decisions came, and none has come for so long."""
        with self._lock:
            decided = self._decided_at
        silent = time.monotonic() - decided > seconds
        return bool(decided) and silent and self.state[0] == "running" and self._pictures.value() > 0

    @property
    def info(self) -> Optional[StreamInfo]:
        return self._info

    @property
    def image(self) -> Tuple[int, Optional[CodedPicture]]:
        """The newest I-picture, with a number that is another one for another picture."""
        with self._lock:
            return self._image

    @property
    def motion(self) -> Tuple[int, Optional[Motion]]:
        with self._lock:
            return self._motion

    def points(self, after: int) -> List[Point]:
        """The strip's points whose number is above `after`."""
        with self._lock:
            return [point for point in self._strip if point.number > after]

    def document(self) -> Dict[str, Any]:
        """As plain data, without the strip."""
        with self._lock:
            newest, info, counts = self._newest, self._info, self._counts
            latencies = np.array(self._latencies, dtype=np.float64)
            document: Dict[str, Any] = {
                "name": self.name,
                "uri": self.uri,
                "added": self.added,
                "state": self._state,
                "why": self._why,
                "since": self._since,
                "opened": self._opened,
                "decisions": self._decisions,
                "pictures_per_second": round(self._pictures.value(), 1),
                "decisions_per_second": round(self._decided.value(), 1),
            }
        if newest is not None:
            document["top"] = [[label, round(part, 4)] for label, part in newest.top[:5]]
        if latencies.size:
            p50, p99 = np.percentile(latencies, (50, 99))
            document["latency_ms"] = [round(float(p50), 1), round(float(p99), 1)]
        if info is not None:
            document["video"] = _video(info)
        if counts is not None:
            document["counts"] = _counts(counts)
        return document


def _video(info: StreamInfo) -> Dict[str, Any]:
    width, height = (info.height, info.width) if info.rotation % 180 else (info.width, info.height)
    return {
        "codec": info.codec,
        "width": width,
        "height": height,
        "fps": round(float(info.fps), 2),
        "native": info.extraction == "native",
        "note": info.extraction_note,
    }


def _counts(counts: RunSummary) -> Dict[str, Any]:
    """`dropped`: packets that fell, and pictures that were not sampled, because decisions came late."""
    live = counts.live
    return {
        "pictures": counts.pictures,
        "sampled": counts.sampled,
        "skipped": counts.skipped,
        "damaged": counts.damaged,
        "dropped": 0 if live is None else live.dropped + live.thinned,
        "breaks": sum(counts.breaks.values()),
        "away_seconds": 0.0 if live is None else round(live.away_seconds, 1),
        "reasons": {**counts.reasons, **counts.damage, **counts.breaks, **({} if live is None else live.failures)},
    }
