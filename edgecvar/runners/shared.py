"""One entered runner for several streams: launches of a stage that come together go through as one batch."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, get_ident
from typing import Any, Deque, Dict, List, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.runners.runner import Gathered, Runner, part_of, rows_of

MAX_BATCH = 8
DEADLINE = 0.002
"""Seconds after it came that a launch may wait for launches of other streams."""
ACTIVE = 1.0
"""Seconds since its last launch for which a stream is waited for."""


class SharedRunner:
    """Launches from any number of threads, one stream each, `max_batch` of a stage at most at a time.

    First come, first served: the stage of the oldest launch is next, with those of the same stage that wait behind it.
    A stream has one launch at a time, so each has its turn before another has its second. A batch that fails is
    launched again one by one, and an error is its own stream's alone. No thread runs here but those that launch: the
    one whose launch is the oldest computes for the others.

    `deadline`: for so many seconds after it came a launch waits for those of other streams, so far as any are active.
    With 0 those alone go through together that had to wait anyway.
    """

    def __init__(self, runner: Runner, max_batch: int = MAX_BATCH, deadline: float = DEADLINE) -> None:
        self.name = runner.name
        self.max_batch = max_batch
        self.sizes: Dict[int, int] = {}
        """How many batches went through, by how many launches each was."""
        self._runner = runner
        self._deadline = deadline
        self._lock = Lock()
        self._waiting: Deque[_Launch] = deque()
        self._led = False
        self._gathering: Optional[_Launch] = None
        self._active: Dict[int, float] = {}

    def __enter__(self) -> SharedRunner:
        self._runner.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._runner.__exit__(*exc)

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        own = _Launch(stage, inputs)
        with self._lock:
            self._active[get_ident()] = own.came
            self._waiting.append(own)
            if not self._led:
                self._led = own.leads = True
            elif self._gathering is not None and self._complete(self._gathering):
                self._gathering.news.put(True)
        try:
            if own.leads or own.news.get():
                self._lead(own)
        except BaseException:  # of a signal: the other streams go on
            self._withdraw(own)
            raise
        if own.error is not None:
            raise own.error
        return own.launched

    def fetch(self, value: Any) -> NDArray[np.float32]:
        if isinstance(value, np.ndarray):  # it is here, and waits for no launch of another stream
            return value
        return self._runner.fetch(value)

    def _lead(self, own: _Launch) -> None:
        """Compute the next batch, which `own`, the oldest launch, is part of; the oldest of those left leads then."""
        self._gather(own)
        with self._lock:
            batch = self._next()
            self.sizes[len(batch)] = self.sizes.get(len(batch), 0) + 1
        try:
            self._compute(batch)
        finally:
            with self._lock:
                self._waiting.extendleft(each for each in reversed(batch) if not each.answered and each is not own)
                self._appoint(own)

    def _gather(self, own: _Launch) -> None:
        """Wait for other streams: until all that are active have launched, the batch is full, or `own` is due."""
        until = own.came + self._deadline
        try:
            while True:
                left = until - time.monotonic()
                with self._lock:
                    if left <= 0 or self._complete(own):
                        return
                    self._gathering = own
                with suppress(Empty):
                    own.news.get(timeout=left)
        finally:
            self._gathering = None

    def _complete(self, oldest: _Launch) -> bool:
        for stream, newest in list(self._active.items()):
            if newest < oldest.came - ACTIVE:
                del self._active[stream]
        return len(self._waiting) >= len(self._active) or len(self._alike(oldest)) >= self.max_batch

    def _alike(self, oldest: _Launch) -> List[_Launch]:
        """Those that may go through with the oldest."""
        alike, rows = [oldest], oldest.rows
        for each in self._waiting:
            if each is not oldest and each.stage == oldest.stage and rows + each.rows <= self.max_batch:
                alike.append(each)
                rows += each.rows
        return alike

    def _next(self) -> List[_Launch]:
        batch = self._alike(self._waiting[0])
        taken = set(map(id, batch))
        self._waiting = deque(each for each in self._waiting if id(each) not in taken)
        return batch

    def _compute(self, batch: List[_Launch]) -> None:
        """Answer all of them; whoever waits for one wakes up."""
        stage = batch[0].stage
        if len(batch) > 1:
            with suppress(Exception):  # whose fault it is shows one by one
                names = batch[0].inputs
                gathered = {name: Gathered(tuple(each.inputs[name] for each in batch)) for name in names}
                launched, first = self._runner.launch(stage, gathered), 0
                parts = []
                for each in batch:
                    parts.append(part_of(launched, first, each.rows))
                    first += each.rows
                for each, part in zip(batch, parts):
                    each.answer(part)
                return
        for each in batch:
            try:
                launched = self._runner.launch(stage, each.inputs)
            except Exception as error:  # it belongs to whoever launched
                each.answer(None, error)
            else:
                each.answer(launched)

    def _appoint(self, before: _Launch) -> None:
        before.leads = False
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].leads = True
            self._waiting[0].news.put(True)

    def _withdraw(self, own: _Launch) -> None:
        with self._lock:
            with suppress(ValueError):
                self._waiting.remove(own)
            if own.leads:
                self._appoint(own)


class _Launch:
    """What one stream asks for; `news` has True for it to lead, False when it is answered. `came`: by the monotonic
    clock.
    """

    def __init__(self, stage: str, inputs: Mapping[str, Any]) -> None:
        self.stage, self.inputs = stage, inputs
        self.came = time.monotonic()
        self.rows = rows_of(next(iter(inputs.values())))
        self.news: SimpleQueue[bool] = SimpleQueue()  # a signal may interrupt who waits here; see Channel
        self.leads = self.answered = False
        self.launched: Any = None
        self.error: Optional[Exception] = None

    def answer(self, launched: Any, error: Optional[Exception] = None) -> None:
        self.launched, self.error, self.answered = launched, error, True
        self.news.put(False)
