"""Many streams on one runner, whose sources come and go while the others run."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from threading import Event, Lock, Thread
from typing import Callable, Dict, List, Literal, Optional, Protocol, Sequence

from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.stages import takes_frames
from edgecvar.errors import ConfigError, EdgecvarError
from edgecvar.run.decisions import Decision, RunSummary, ended_by
from edgecvar.run.loaded import LoadedRunner
from edgecvar.run.model import AnyStream, Run, RunSettings, Source, opened
from edgecvar.runners.choice import RunnerChoice, make_runner, resolve
from edgecvar.runners.shared import DEADLINE, MAX_BATCH
from edgecvar.stream.sources.opening import source_name
from edgecvar.stream.types import StreamInfo

MOST = 256
"""Sources at a time: each has two threads, one more where it may keep one waiting, and one where I-pictures are seen.
"""
FAREWELL = 1.5
"""Seconds in which the threads of sources that are stopped are waited for."""
STOPPED = "stopped"

Phase = Literal["waiting", "running", "ended", "failed"]


@dataclass(frozen=True)
class SourceState:
    """Where a source is: it is waited for until it is open, then runs, and has ended or failed.

    `reason` is why it failed, or ended before its stream did. `info` and `summary` from when it runs on.
    """

    phase: Phase
    reason: str = ""
    info: Optional[StreamInfo] = None
    summary: Optional[RunSummary] = None

    @property
    def over(self) -> bool:
        return self.phase in ("ended", "failed")


class Listener(Protocol):
    """Told of one source or of several, each in a thread of its own; what it raises fails that source alone."""

    def decision(self, name: str, decision: Decision) -> None:
        """The source's next decision, in display order."""
        ...

    def state(self, name: str, state: SourceState) -> None:
        """The source is in another phase; after the one that ends it nothing more is told."""
        ...


class Station:
    """The sources of one model, by name; entering it loads, leaving it stops all.

    Raises BundleError, ConfigError or DeviceError where it cannot be loaded. The choice's `max_batch`, MAX_BATCH unless
    given, of their launches go through a stage as one.
    """

    def __init__(self, bundle: Bundle, choice: Optional[RunnerChoice] = None) -> None:
        self.bundle = bundle
        choice = choice or RunnerChoice()
        self._max_batch = choice.max_batch or (MAX_BATCH if choice.dla is None else 1)  # a DLA takes one at a time
        choice = choice.model_copy(update={"max_batch": self._max_batch})
        self._runner = make_runner(bundle, choice)
        # On a CPU a batch takes about as long as its launches one by one: it is worth no waiting.
        self._deadline = DEADLINE if resolve(bundle, choice)[0] == "trt" else 0.0
        self._loaded: Optional[LoadedRunner] = None
        self._sources: Dict[str, _Post] = {}
        self._lock = Lock()

    def __enter__(self) -> Station:
        self._loaded = LoadedRunner(self._runner, self._max_batch, self._deadline)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.close()

    def add(
        self, name: str, source: Source, settings: Optional[RunSettings] = None, listeners: Sequence[Listener] = ()
    ) -> None:
        """Begin a source, whose name may be that of one which is over; raises ConfigError where it cannot be taken."""
        loaded = self._loaded
        if loaded is None:
            raise EdgecvarError(f"{name}: the station is closed; add sources inside its `with` block")
        settings = settings or RunSettings()
        post = _Post(name, listeners, self._opening(source, settings), self._beginning(loaded, source, settings))
        with self._lock:
            there = self._sources.get(name)
            if there is not None and not there.state.over:
                raise ConfigError(f"{name}: a source of this name is running; give it another, or remove that one")
            if sum(not each.state.over for each in self._sources.values()) >= MOST:
                raise ConfigError(f"{name}: {MOST} sources are running, which is the most; remove one before")
            self._sources[name] = post
        post.begin()

    def _opening(self, source: Source, settings: RunSettings) -> Callable[[], AnyStream]:
        return lambda: opened(source, settings, takes_frames(self.bundle.manifest.stages))

    def _beginning(self, loaded: LoadedRunner, source: Source, settings: RunSettings) -> Callable[[AnyStream], Run]:
        return lambda stream: Run(self.bundle, loaded, source_name(source), stream, settings)

    def remove(self, name: str) -> Optional[SourceState]:
        """Stop a source and forget it; how it ended, None where there was none of that name."""
        with self._lock:
            post = self._sources.pop(name, None)
        if post is None:
            return None
        _end([post])
        return post.state

    def state(self, name: str) -> Optional[SourceState]:
        """Where a source is now; None where there is none of that name."""
        with self._lock:
            post = self._sources.get(name)
        return None if post is None else post.state

    def states(self) -> Dict[str, SourceState]:
        """Where each source is now, in the order in which they were added."""
        with self._lock:
            posts = dict(self._sources)
        return {name: post.state for name, post in posts.items()}

    @property
    def batches(self) -> Dict[int, int]:
        """How many batches went through, by how many launches each was of."""
        loaded = self._loaded
        return {} if loaded is None else loaded.batches

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait for all sources to be over, `timeout` seconds at most; whether they are."""
        with self._lock:
            posts = list(self._sources.values())
        until = None if timeout is None else time.monotonic() + timeout
        for post in posts:
            post.join(until)
        return all(post.state.over for post in posts)

    def stop(self) -> None:
        """Stop all sources, which takes two seconds at most; their states stay."""
        with self._lock:
            posts = list(self._sources.values())
        _end(posts)


class _Post:
    """One source and its thread."""

    def __init__(
        self,
        name: str,
        listeners: Sequence[Listener],
        opening: Callable[[], AnyStream],
        beginning: Callable[[AnyStream], Run],
    ) -> None:
        self._name, self._listeners, self._opening, self._beginning = name, listeners, opening, beginning
        self._state = SourceState("waiting")
        self._stream: Optional[AnyStream] = None
        self._run: Optional[Run] = None
        self._stopping = self._telling = self._left = False
        # A thread whose `join` Ctrl-C ends counts as ended from then on, before Python 3.13: it is not joined.
        self._done = Event()

    @property
    def state(self) -> SourceState:
        run, state = self._run, self._state
        return replace(state, summary=run.summary) if run is not None and not state.over else state

    def begin(self) -> None:
        Thread(target=self._work, name="edgecvar-stream", daemon=True).start()

    def join(self, until: Optional[float]) -> None:
        """Wait for its end, until a time of the monotonic clock."""
        self._done.wait(None if until is None else max(0.0, until - time.monotonic()))

    def leave(self) -> None:
        """Have it end; nothing is waited for."""
        self._stopping = True
        run, stream = self._run, self._stream
        if run is not None:
            run.leave()
        elif stream is not None:  # it waits for a source that is away
            stream.leave()

    def abandon(self) -> None:
        """Say that it has ended where its thread cannot, as it waits for a source or for a listener."""
        if self._done.is_set():
            return
        telling, state = self._telling, self.state
        if not state.over:
            state = replace(state, phase="ended", reason=STOPPED)
            if not telling:
                self._enter(state)
        self._left, self._state = True, state

    def _work(self) -> None:
        try:
            self._enter(SourceState("waiting"))
            with ExitStack() as stack:
                stream = self._stream = self._opening()
                stack.enter_context(stream)
                if self._stopping:  # it was asked for while it was being opened
                    stream.leave()
                run = stack.enter_context(self._beginning(stream))
                self._run = run
                if self._stopping:
                    run.leave()
                self._enter(SourceState("running", info=run.info, summary=run.summary))
                for decision in run:
                    self._decided(decision)
                    if self._stopping:
                        break
            self._over("ended", STOPPED if self._stopping else "")  # the source is let go of
        except BaseException as error:  # of the source, or of a listener: it is this source's end alone
            self._failed(error)
        finally:
            self._done.set()

    def _failed(self, error: BaseException) -> None:
        with suppress(Exception):  # of a listener that is broken: the first error is the reason
            if self._stopping:
                self._over("ended", STOPPED)
            else:
                self._over("failed", ended_by(error))

    def _over(self, phase: Phase, reason: str) -> None:
        run, summary = self._run, None
        if run is not None:
            summary = replace(run.summary, ended=reason)
        info = None if run is None else run.info
        self._run = None
        self._enter(SourceState(phase, reason, info, summary))

    def _decided(self, decision: Decision) -> None:
        self._tell(lambda listener: listener.decision(self._name, decision))

    def _enter(self, state: SourceState) -> None:
        if not self._left:
            self._state = state
        self._tell(lambda listener: listener.state(self._name, state))

    def _tell(self, what: Callable[[Listener], None]) -> None:
        """All of them, also where one raises, which is raised then."""
        failure: Optional[BaseException] = None
        for listener in self._listeners:
            if self._left:
                return
            self._telling = True
            try:
                what(listener)
            except BaseException as error:
                failure = failure or error
            self._telling = False
        if failure is not None:
            raise failure


def _end(posts: List[_Post]) -> None:
    """All of them at once; those whose threads hang are left behind, and end when they can."""
    for post in posts:
        post.leave()
    until = time.monotonic() + FAREWELL
    for post in posts:
        post.join(until)
    for post in posts:
        post.abandon()
