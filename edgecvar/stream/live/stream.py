"""A live source, which goes away and comes back: one stream of pictures over as many connections as it takes."""

from __future__ import annotations

from dataclasses import replace
from threading import Event, Lock
from typing import Callable, Iterator, Optional

from edgecvar.errors import StreamError
from edgecvar.stream.live.absence import Absence, Patience
from edgecvar.stream.live.connection_tap import ConnectionTap
from edgecvar.stream.live.line import Line
from edgecvar.stream.packets import PacketTap
from edgecvar.stream.reader import Stream
from edgecvar.stream.sources.address import is_pushed, scheme_of
from edgecvar.stream.sources.attempt import Attempt
from edgecvar.stream.sources.opening import LiveSource, source_name
from edgecvar.stream.types import RECONNECTED, Break, CodedPicture, LiveCounts, StreamInfo, StreamSummary

_ENDED = "the stream ended"

Opening = Callable[..., Stream]
"""Of a `LiveSource`, with `tap` where there is one."""


_DEFAULT = Patience()


class LiveStream:
    """As `Stream`, of a URI; making one does not wait: the first to ask for `info` does, until the source is there.

    Numbers and times go on over connections: the times by the time that it was away. The first picture of a new
    connection opens a break. `tell` is given a line for people when the source goes away, for every new reason, and
    when it is back. What `opening` raises but StreamError is raised.
    """

    def __init__(
        self,
        uri: str,
        opening: Opening,
        patience: Patience = _DEFAULT,
        tell: Callable[[str], None] = lambda line: None,
        tap: Optional[PacketTap] = None,
    ) -> None:
        self._name = source_name(uri)
        self._tap, self._connection = tap, None if tap is None else ConnectionTap(tap, 0)
        self._uri, self._opening, self._patience, self._tell = uri, opening, patience, tell
        self._leaving = Event()
        self._attempt = Attempt(self._name)
        self._stream: Optional[Stream] = None
        self._info: Optional[StreamInfo] = None
        self._absence = Absence(self._name, patience, tell)
        self._line = Line()
        self._turn = Lock()  # what one connection has counted goes over to the past at once
        self._past = StreamSummary()
        self._dropped = 0

    def __repr__(self) -> str:
        return f"<LiveStream of {self._name}: {'not yet open' if self._info is None else repr(self._info)}>"

    def __enter__(self) -> LiveStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def info(self) -> StreamInfo:
        """What is known of the first connection, which is waited for; raises StreamError where it is given up."""
        if self._info is None:
            self._connect()
        if self._info is None:
            raise StreamError(f"{self._name}: it was closed before it could be opened")
        return self._info

    @property
    def summary(self) -> StreamSummary:
        """The counts of all connections so far."""
        with self._turn:
            stream, past, dropped = self._stream, self._past, self._dropped + self._attempt.dropped
        counts = past if stream is None else past.and_of(stream.summary)
        absence = self._absence
        live = LiveCounts(
            reconnections=counts.breaks.get(RECONNECTED, 0),
            away_seconds=absence.seconds,
            failures=dict(absence.failures),
            dropped=dropped,
        )
        return replace(counts, live=live)

    @property
    def attempt(self) -> Attempt:
        """The newest connection, or what is to become one: when its packets came."""
        return self._attempt

    def leave(self) -> None:
        """No more pictures, also for a reader that waits for one, for a connection or for the next attempt."""
        self._leaving.set()
        self._attempt.leave()

    def close(self) -> None:
        """Leave, and let go of the source."""
        self.leave()
        stream = self._stream
        if stream is not None:
            stream.close()

    def __iter__(self) -> Iterator[CodedPicture]:
        while self._stream is not None or self._connect():
            stream = self._stream
            assert stream is not None
            failure: Optional[StreamError] = None
            try:
                for picture in stream:
                    yield self._placed(picture, stream)
            except StreamError as error:
                failure = error
            finally:
                self._let_go(stream)
            if self._leaving.is_set():
                return
            if not self._goes_on(failure):
                return

    def _connect(self) -> bool:
        """Whether there is a new stream; False once it was left."""
        while not self._leaving.is_set():
            attempt = Attempt(self._name, self._patience.late if is_pushed(self._uri) else None)
            with self._turn:
                self._dropped += self._attempt.dropped
                self._attempt = attempt
            if self._leaving.is_set():  # between the two
                break
            if self._tap is not None and self._connection is not None:
                self._connection = ConnectionTap(self._tap, self._connection.packets)
            try:
                self._stream = self._opened(LiveSource(self._uri, attempt))
            except StreamError as error:
                if not self._leaving.is_set():
                    self._rest(error)
                continue
            if self._info is None:
                self._info = self._stream.info
                if attempt.note:
                    self._tell(f"{self._name}: {attempt.note}")
            return True
        return False

    def _opened(self, source: LiveSource) -> Stream:
        return self._opening(source) if self._connection is None else self._opening(source, tap=self._connection)

    def _placed(self, picture: CodedPicture, stream: Stream) -> CodedPicture:
        opens = picture.opens
        first = self._absence.over()
        if first:
            if self._line.begun or stream.info != self._info:  # what was known at first may never have had a picture
                opens = Break(RECONNECTED, stream.info)
                stream.summary.broke(RECONNECTED)
            self._line.connect(picture, 1 / float(stream.info.fps))
        anew = opens is not None and opens.reason == RECONNECTED
        placed = replace(self._line.place(picture), opens=opens, arrived=self._attempt.arrived)
        if first and self._connection is not None:
            self._connection.placed(self._line.shift, placed.pts_seconds if anew else None)
        return placed

    def _let_go(self, stream: Stream) -> None:
        self._absence.begins()
        stream.close()
        with self._turn:
            self._stream, self._past = None, self._past.and_of(stream.summary)

    def _goes_on(self, failure: Optional[StreamError]) -> bool:
        """Whether it is opened again; raises what it ended with where it is not."""
        finite = self._attempt.duration is not None and scheme_of(self._uri) in ("http", "https")
        if failure is None and (finite or not self._patience.reconnect):
            return False
        self._rest(failure or StreamError(f"{self._name}: {_ENDED}"))
        return True

    def _rest(self, error: StreamError) -> None:
        """Pause before the next attempt; raises the error where there is to be none."""
        self._leaving.wait(self._absence.pause(error))
