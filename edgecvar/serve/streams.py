"""The streams of a service as threads: opened, run, waited for, opened again."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, suppress
from typing import Any, Callable, Dict, Iterator, List, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.manifest import Bundle
from edgecvar.clips.feed import PictureStream
from edgecvar.errors import EdgecvarError
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.choice import RunnerChoice, make_runner
from edgecvar.serve.config import SourceConfig
from edgecvar.serve.lane import State
from edgecvar.stream.reader import Stream, open_stream
from edgecvar.stream.sources.opening import path_of
from edgecvar.stream.types import CodedPicture, StreamInfo

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds between two tries to open a source; they double."""
COUNT_EVERY = 0.5


class Listener(Protocol):
    """Told of one stream by its threads."""

    def tell(self, state: State, why: str = "") -> Any: ...

    def opened(self, info: StreamInfo) -> None: ...

    def picture(self, picture: CodedPicture, velocity: Optional[NDArray[np.float32]]) -> None: ...

    def decision(self, decision: Decision) -> None: ...

    def counted(self, summary: RunSummary) -> None: ...


class Streams(Protocol):
    """Runs sources side by side."""

    def add(self, name: str, source: SourceConfig, listener: Listener) -> None: ...

    def remove(self, name: str) -> None: ...

    def close(self, seconds: float) -> None:
        """End all of them, waiting for so long at most."""
        ...

    def wrong(self) -> List[str]:
        """What went wrong in here, which nothing but a new start mends."""
        ...


class ThreadedStreams:
    """A thread and a runner for each source."""

    def __init__(self, bundle: Bundle, choice: RunnerChoice) -> None:
        self._bundle, self._choice = bundle, choice
        self._streams: Dict[str, _OneStream] = {}
        self._left: List[_OneStream] = []

    def add(self, name: str, source: SourceConfig, listener: Listener) -> None:
        self._streams[name] = _OneStream(name, source, listener, self._bundle, self._choice)

    def remove(self, name: str) -> None:
        stream = self._streams.pop(name, None)
        if stream is not None:
            stream.leave()
            self._left = [each for each in (*self._left, stream) if each.thread.is_alive()]

    def close(self, seconds: float) -> None:
        for name in list(self._streams):
            self.remove(name)
        end = time.monotonic() + seconds
        for stream in self._left:
            stream.thread.join(max(0.0, end - time.monotonic()))

    def wrong(self) -> List[str]:
        return [f"{name}: its thread has ended" for name, each in self._streams.items() if not each.thread.is_alive()]


class _OneStream:
    def __init__(
        self, name: str, source: SourceConfig, listener: Listener, bundle: Bundle, choice: RunnerChoice
    ) -> None:
        self._source, self._listener = source, listener
        self._bundle, self._choice = bundle, choice
        self._over = threading.Event()
        self._release: Callable[[], None] = lambda: None
        self._counted = 0.0
        self.thread = threading.Thread(target=self._run, name=f"edgecvar-{name}"[:15], daemon=True)
        self.thread.start()

    def leave(self) -> None:
        self._over.set()
        with suppress(EdgecvarError):
            self._release()

    def _run(self) -> None:
        wait = FIRST_WAIT
        with ExitStack() as stack:
            runner = stack.enter_context(make_runner(self._bundle, self._choice))
            while not self._over.is_set():
                before = time.monotonic()
                try:
                    self._once(runner)
                except EdgecvarError as error:
                    if self._over.is_set():
                        return
                    self._listener.tell("away", str(error))
                else:
                    if not self._source.again and not self._over.is_set():
                        self._listener.tell("ended")
                        self._over.wait()
                    continue
                wait = FIRST_WAIT if time.monotonic() - before > LONGEST_WAIT else min(2 * wait, LONGEST_WAIT)
                self._over.wait(wait)

    def _once(self, runner: Any) -> None:
        source, listener = self._source, self._listener
        with open_stream(source.uri, source.extraction, timeout=source.timeout, on_demand=True) as stream:
            self._release = stream.leave
            if self._over.is_set():
                return
            listener.opened(stream.info)
            listener.tell("running")
            stored = path_of(source.uri) is not None
            pictures: PictureStream = Paced(stream, self._over) if stored else stream
            options = RunOptions(source.every, source.top, stream.leave, watcher=listener)
            with recognize(pictures, self._bundle.manifest, runner, options) as decisions:
                for decision in decisions:
                    listener.decision(decision)
                    if self._over.is_set():
                        return
                    if time.monotonic() - self._counted > COUNT_EVERY:
                        self._counted = time.monotonic()
                        listener.counted(decisions.summary)
                listener.counted(decisions.summary)


class Paced:
    """An open file whose pictures come at the moments at which a camera would send them."""

    def __init__(self, stream: Stream, over: threading.Event) -> None:
        self.info, self.summary = stream.info, stream.summary
        self._stream, self._over = stream, over

    def __iter__(self) -> Iterator[CodedPicture]:
        begin = time.monotonic()
        for picture in self._stream:
            due = begin + picture.decode_index / float(self.info.fps)
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            yield picture
