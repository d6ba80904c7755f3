"""Every span of a run as it was: which work, for which picture, when, in which thread of which stream."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Optional, Protocol, Sequence, Tuple

from edgecvar.clips.clock import Clock, NoClock

SPANS = 200_000
"""That a trace keeps: some 30 MB, and as many in its file; an hour of a camera, minutes at full speed."""
ROLES = {
    "edgecvar-reader": "reader",
    "appearance_0": "I-pictures",
    "MainThread": "engine",
    "edgecvar-stream": "engine",
}
"""What the threads of a stream do, by their names; the engine's is that of whoever takes decisions."""


@dataclass(frozen=True)
class Span:
    """One piece of work; `start_ns` is of `time.perf_counter_ns`, `picture` a decode index."""

    __slots__ = ("name", "ns", "picture", "start_ns", "thread")
    name: str
    thread: str
    picture: Optional[int]
    start_ns: int
    ns: int


Listener = Callable[[Span], None]


class Ranges(Protocol):
    """A profiler of others that is told where work begins and ends, in the thread that does it."""

    def push(self, name: str, picture: Optional[int]) -> None: ...

    def pop(self) -> None: ...


class ListenedClock:
    """The `Clock` of a run: it tells `listeners` of each span that has ended, and `ranges` where one begins and ends.

    Listeners are called in the thread that did the work.
    """

    def __init__(self, listeners: Sequence[Listener], ranges: Optional[Ranges] = None) -> None:
        self._listeners, self._ranges = listeners, ranges

    @contextmanager
    def span(self, name: str, picture: Optional[int] = None) -> Iterator[None]:
        ranges = self._ranges
        if ranges is not None:
            ranges.push(name, picture)
        start = time.perf_counter_ns()
        try:
            yield
        finally:
            ns = time.perf_counter_ns() - start
            if ranges is not None:
                ranges.pop()
            thread = threading.current_thread().name
            span = Span(name, ROLES.get(thread, thread), picture, start, ns)
            for listener in self._listeners:
                listener(span)


class Trace:
    """The first `most` spans of all streams, by stream; `left_out` counts the others."""

    def __init__(self, most: int = SPANS) -> None:
        self.left_out = 0
        self.began_ns = time.perf_counter_ns()
        self._room = most
        self._streams: Dict[str, List[Span]] = {}
        self._lock = threading.Lock()

    def listener(self, stream: str) -> Listener:
        """What hears the spans of a stream; those of one name are one stream."""
        with self._lock:
            spans = self._streams.setdefault(stream, [])

        def hear(span: Span) -> None:
            with self._lock:
                if self._room:
                    self._room -= 1
                    spans.append(span)
                else:
                    self.left_out += 1

        return hear

    def streams(self) -> List[Tuple[str, List[Span]]]:
        """Those that had spans, in the order in which they were named, each span after those that began before it."""
        with self._lock:
            named = [(stream, list(spans)) for stream, spans in self._streams.items() if spans]
        return [(stream, sorted(spans, key=lambda span: (span.start_ns, -span.ns))) for stream, spans in named]


@dataclass(frozen=True)
class Observers:
    """Who is told what a run does: a trace, and another profiler by ranges; nobody unless asked for.

    `subject`: what the streams are of, where there are several of one name.
    """

    trace: Optional[Trace] = None
    ranges: Optional[Ranges] = None
    subject: str = ""

    def __bool__(self) -> bool:
        return self.trace is not None or self.ranges is not None

    def listeners(self, stream: str) -> Tuple[Listener, ...]:
        named = f"{self.subject}: {stream}" if self.subject else stream
        return () if self.trace is None else (self.trace.listener(named),)

    def clock(self, stream: str) -> Clock:
        """The clock of a run that nobody else times."""
        return ListenedClock(self.listeners(stream), self.ranges) if self else NoClock()


NOBODY = Observers()
