"""What a process of a trial does: it loads the bundle once, and plays its share of the cameras, a thread each.

Threads of one process a core, not a process a camera: the bundle, the interpreter and the libraries are then there once
a core, as whoever runs many cameras would have it, and Python's lock holds up no more streams than a core carries.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path
from threading import Event, Thread
from typing import Any, ContextManager, Dict, List, Optional, Tuple

from edgecvar.bench.streams.pace import Pace, Period
from edgecvar.bench.streams.session import WayName
from edgecvar.bench.streams.ways import DecodingWay, Pipeline, ReadingWay
from edgecvar.bundle.manifest import Bundle
from edgecvar.run.loaded import RunnerInTurns
from edgecvar.runners.choice import RunnerChoice, make_runner, resolve
from edgecvar.stream.reader import Extraction

WAKING = 0.1
"""Seconds until a process notices that a trial was broken off by another, at most."""


@dataclass(frozen=True)
class Feed:
    """A camera of a share: its file, its rate, one of how many pictures is sampled, and how long after the first camera
    it begins, in seconds.
    """

    path: Path
    fps: float
    every: int
    offset: float


@dataclass(frozen=True)
class Share:
    """What one process plays; `threads` are those of one stream's engine or decoder."""

    way: WayName
    bundle: Bundle
    choice: RunnerChoice
    extraction: Extraction
    threads: int
    feeds: Tuple[Feed, ...]


@dataclass(frozen=True)
class Played:
    """What came of a share: of each decision the moment of its picture, from the period's first on, and its delay."""

    seconds: float
    cpu_seconds: float
    resident_bytes: int
    left_out: int
    lateness: List[Tuple[float, float]] = field(repr=False)


_WORKER: Dict[str, Any] = {}
"""What one worker process keeps: the event that breaks a trial off, and its share once it is loaded."""


def enter_worker(broken_off: ProcessEvent) -> None:
    _WORKER["broken_off"] = broken_off


def load_share(share: Share) -> int:
    """Load the bundle and open every camera; the bytes that were resident before the first. Raises EdgecvarError."""
    playing = _Playing(share, _WORKER["broken_off"])
    _WORKER["playing"] = playing
    return playing.load()


def play_share(begin: float, period: Period) -> Played:
    """Play all cameras until the period's end; raises what went wrong with the first that failed."""
    playing: _Playing = _WORKER["playing"]
    return playing.play(begin, period)


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Playing:
    """One share; it is the `Watch` of its cameras."""

    def __init__(self, share: Share, broken_off: ProcessEvent) -> None:
        self._share, self._broken_off = share, broken_off
        self._over = Event()
        self._failure: Optional[BaseException] = None

    def now(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        return self._over.wait(seconds)

    def break_off(self) -> None:
        self._broken_off.set()
        self._over.set()

    def load(self) -> int:
        share, bundle = self._share, self._share.bundle
        runner = make_runner(bundle, share.choice)
        if resolve(bundle, share.choice)[0] == "trt":  # one device, on which threads take turns
            runner = RunnerInTurns(runner)
        else:
            runner.__enter__()
        if share.way == "decoding":
            self._pipeline: Pipeline = DecodingWay(runner, bundle.manifest, share.threads)
        else:
            self._pipeline = ReadingWay(runner, bundle.manifest, share.extraction)
        self._runner = runner
        loaded = resident_bytes()
        self._sources = [self._pipeline.open(feed.path) for feed in share.feeds]
        return loaded

    def play(self, begin: float, period: Period) -> Played:
        paces = [Pace(begin + feed.offset, feed.fps, period, self) for feed in self._share.feeds]
        cameras = zip(self._share.feeds, self._sources, paces)
        threads = [Thread(target=self._camera, args=each, daemon=True) for each in cameras]
        self._sources = []
        for thread in threads:
            thread.start()
        self._sleep(period.first)
        since, cpu = self.now(), time.process_time()
        self._sleep(period.end)
        seconds, cpu, resident = self.now() - since, time.process_time() - cpu, resident_bytes()
        while any(thread.is_alive() for thread in threads):
            self._sleep(self.now() + WAKING)
        self._runner.__exit__(None, None, None)
        if self._failure is not None:
            raise self._failure
        lateness = [each for pace in paces for each in pace.lateness]
        return Played(seconds, cpu, resident, sum(pace.left_out for pace in paces), lateness)

    def _sleep(self, until: float) -> None:
        """Until that moment, or until the trial is broken off, which is passed on."""
        if self._over.is_set():
            time.sleep(min(WAKING, max(0.0, until - self.now())))
        elif self._broken_off.wait(max(0.0, until - self.now())):
            self._over.set()

    def _camera(self, feed: Feed, source: ContextManager[Any], pace: Pace) -> None:
        """A camera's thread."""
        try:
            while True:
                with source as opened:
                    self._pipeline.play(opened, pace, feed.every)
                if pace.over:
                    return
                pace.again()
                source = self._pipeline.open(feed.path)
        except BaseException as error:  # whatever it is belongs to the caller
            self._failure = self._failure or error
            self.break_off()
