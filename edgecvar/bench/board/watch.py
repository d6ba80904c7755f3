"""A board that is watched while it is measured: idle, until its clocks settle, then loaded."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Callable, ContextManager, Deque, Dict, Iterator, List, Optional, Set, Union

from edgecvar.bench.board.advice import board_advice, joules_per_decision
from edgecvar.bench.board.clocks import clocks_locked, clocks_mhz, gpu_load, stood_still
from edgecvar.bench.board.sensors import celsius, watts
from edgecvar.bench.board.throttling import slowed_by_heat, supply_events, throttling
from edgecvar.bench.observed import Board, Reading
from edgecvar.bundle.devices import l4t_release
from edgecvar.judge.machine import power_mode

ROOT = Path("/")
INTERVAL = 1.0
"""Seconds from one reading to the next: the sensors average over some hundred milliseconds themselves."""
IDLE_READINGS = 3
"""Over two seconds."""
SETTLE_SECONDS = 30.0
"""At most; a GPU's governor settles in a few."""
STILL = 2
"""Readings in a row that must be like the one before."""
KEPT = 1800
"""Loaded readings that are kept, the newest."""


class BoardWatch:
    """Readings of a board: entering it reads it idle, and while `loaded` a thread of its own reads it once a second.

    `root` is where the kernel's files are; `interval` is in seconds, for tests.
    """

    def __init__(
        self, root: Path = ROOT, interval: float = INTERVAL, mode: Callable[[], Optional[str]] = power_mode
    ) -> None:
        self._root, self._interval, self._mode = root, interval, mode
        self._unsettled = False
        self._start = time.monotonic()
        self._idle: List[Reading] = []
        self._loaded: Deque[Reading] = deque(maxlen=KEPT)
        self._heat: Set[str] = set()
        self._events: Dict[str, int] = {}
        self._settled: Optional[float] = None
        self._seconds = 0.0
        self._working = threading.Event()
        self._left = threading.Event()
        self._sampler: Optional[threading.Thread] = None

    def __enter__(self) -> BoardWatch:
        self._idle = [self._reading()]
        for _ in range(IDLE_READINGS - 1):
            time.sleep(self._interval)
            self._idle.append(self._reading())
        self._events = supply_events(self._root)
        self._sampler = threading.Thread(target=self._sample, name="board", daemon=True)
        self._sampler.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._left.set()
        self._working.set()  # it waits for that
        if self._sampler is not None:
            self._sampler.join()
        self._sampler = None

    def settle(self, load: Callable[[], object], seconds: float = SETTLE_SECONDS) -> None:
        """Put `load` on the board, again and again, until its clocks stand still, for so long at most."""
        start, still, before = time.monotonic(), 0, clocks_mhz(self._root)
        while before and still < STILL and time.monotonic() - start < seconds:
            due = time.monotonic() + self._interval
            load()
            while time.monotonic() < due:
                load()
            now = clocks_mhz(self._root)
            still = still + 1 if stood_still(before, now) else 0
            before = now
        self._settled = time.monotonic() - start if before and still >= STILL else None
        self._unsettled = bool(before) and still < STILL

    @contextmanager
    def loaded(self) -> Iterator[None]:
        """What is measured runs within."""
        start = time.monotonic()
        self._working.set()
        try:
            yield
        finally:
            self._working.clear()
            self._seconds += time.monotonic() - start

    def board(self, decisions: int) -> Board:
        """All that was read, where so many decisions were made while loaded."""
        idle, loaded = list(self._idle), list(self._loaded)
        mode, locked = self._mode() or "", clocks_locked(self._root)
        slowed = throttling(self._heat, self._events, supply_events(self._root))
        return Board(
            power_mode=mode,
            clocks_locked=locked,
            settled_seconds=self._settled,
            idle=idle,
            loaded=loaded,
            throttled=slowed,
            joules_per_decision=joules_per_decision(idle, loaded, decisions, self._seconds),
            advice=board_advice(mode, locked, slowed, self._unsettled),
        )

    def _sample(self) -> None:
        while not self._left.is_set():
            # A reading is of what ran in the time before it.
            if self._working.wait(self._interval) and not self._left.wait(self._interval) and self._working.is_set():
                self._loaded.append(self._reading())
                self._heat |= slowed_by_heat(self._root)

    def _reading(self) -> Reading:
        root = self._root
        return Reading(
            at_seconds=round(time.monotonic() - self._start, 3),
            clocks_mhz=clocks_mhz(root),
            celsius=celsius(root),
            watts=watts(root),
            load=gpu_load(root),
        )


class NoBoard:
    """What stands in for a watch where there is no board to read."""

    def __enter__(self) -> NoBoard:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing was begun."""

    def settle(self, load: Callable[[], object]) -> None:
        """There is nothing to wait for."""

    def loaded(self) -> ContextManager[None]:
        return nullcontext()

    def board(self, decisions: int) -> None:
        return None


Watch = Union[BoardWatch, NoBoard]


def board_watch() -> Watch:
    """The watch over this Jetson, or none where it is none."""
    return NoBoard() if l4t_release() is None else BoardWatch()
