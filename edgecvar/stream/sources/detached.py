"""Sources that may keep one waiting are opened and read in a thread of their own, which can be left behind."""

from __future__ import annotations

import queue
import time
import weakref
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Callable, Iterator, NamedTuple, Optional, Protocol, TypeVar, Union

from edgecvar.errors import StreamError
from edgecvar.stream.sources.attempt import Attempt
from edgecvar.stream.sources.channel import Channel
from edgecvar.stream.sources.demuxing import demuxed

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

T = TypeVar("T")

AHEAD = 16
"""Packets that the thread may be ahead of whoever reads."""
LIVE_AHEAD = 256
"""The same where it waits for nobody, as what comes would pile up elsewhere, and would be called new when it is not."""
GRACE = 1.0
"""Seconds that FFmpeg gets to come back by itself after its own timeout, or in which what it holds then is given."""
FAREWELL = 0.3
"""Seconds that closing waits for the thread: what can be let go of has been when it returns."""


class Arrivals(Protocol):
    """Bytes that come when they do: `came` is the monotonic time at which the newest came, in seconds."""

    came: float

    def leave(self) -> None:
        """End the stream here."""
        ...

    def close(self) -> None:
        """Nobody reads any more."""
        ...


class _Came(NamedTuple):
    """A packet, and when it came, by `time.perf_counter`."""

    packet: Packet[Any]
    arrived: float


class DetachedInput:
    """A container that is opened, read and closed in a thread of its own; raises what opening raises.

    FFmpeg sees no wish of another thread, and Python no Ctrl-C while FFmpeg waits. Whoever waits here is free to go:
    by Ctrl-C, by `leave`, and after `timeout` seconds without data, which is a StreamError. The thread is left behind
    then, and closes the container when FFmpeg comes back. `arrivals` are a pipe's or file object's; of a URL, where
    there are none, FFmpeg itself was told the timeout. An `attempt` that is left ends it, also while this waits here,
    and lets packets fall.
    """

    at_hand = False

    def __init__(
        self,
        name: str,
        opening: Callable[[], InputContainer],
        timeout: float,
        arrivals: Optional[Arrivals] = None,
        attempt: Optional[Attempt] = None,
    ) -> None:
        self._name = name
        self._timeout = timeout
        self._arrivals = arrivals
        self._attempt = attempt = attempt or Attempt(name)
        work = self._work = _Work(opening, arrivals, None if arrivals else timeout, attempt)
        # Work that nobody waits for any more ends; the thread must not hold this object.
        self._gone = weakref.finalize(self, work.release)
        self._thread = Thread(target=work.run, name="edgecvar-source", daemon=True)
        self._thread.start()
        try:
            attempt.begun(work.leave)
            # Connecting and looking into the stream have the timeout each.
            container = self._take(timeout if arrivals else 2 * timeout + GRACE)
            if container is None:
                raise StreamError(f"{name}: it was left while it was opened")
            self.container: InputContainer = container
            attempt.duration = container.duration
        except BaseException:
            self.close()
            raise

    def packets(self, stream: VideoStream) -> Iterator[Packet[Any]]:
        """The stream's packets as they come; ends when it is left. Raises StreamError after the timeout."""
        self._work.wanted.put(stream)
        while True:
            came = self._take(self._timeout if self._arrivals else self._timeout + GRACE)
            if came is None:
                return
            if self._attempt.takes(came.packet, came.arrived):
                yield came.packet

    def leave(self) -> None:
        """No more packets, also for a reader that waits for one; from any thread."""
        self._work.leave()

    def close(self) -> None:
        """Let go of the container, at once or when FFmpeg comes back."""
        self._gone()
        self._thread.join(FAREWELL)

    def _take(self, limit: float) -> Any:
        began = time.monotonic()
        while True:
            since = max(began, self._arrivals.came) if self._arrivals else began
            left = since + limit - time.monotonic()
            try:
                return self._work.given.take(max(0.0, left))
            except _Late:
                raise self._stalled() from None
            except queue.Empty:
                if left <= 0:
                    raise self._stalled() from None

    def _stalled(self) -> StreamError:
        return StreamError(
            f"{self._name}: nothing came for {self._timeout:g} s; check who sends, or wait longer (--timeout SECONDS)"
        )


class _Late(Exception):
    """FFmpeg gave up, or said that the stream had ended, after all the time it was given."""


class _Work:
    """What the thread does: `given` has the container, then the packets of the stream that is put into `wanted`.

    The thread closes the container, as nobody else knows when FFmpeg is done with it, but not before `release`.
    """

    def __init__(
        self,
        opening: Callable[[], InputContainer],
        arrivals: Optional[Arrivals],
        timeout: Optional[float],
        attempt: Attempt,
    ) -> None:
        ahead = AHEAD if attempt.late is None else LIVE_AHEAD
        self.given: Channel[Union[InputContainer, _Came]] = Channel(ahead)
        self._attempt = attempt
        self.wanted: Channel[VideoStream] = Channel(1)
        self._opening = opening
        self._arrivals = arrivals
        self._timeout = timeout
        self._late = False
        self._since_late = 0.0
        self._released = Event()

    def leave(self) -> None:
        """End the work."""
        self.given.close()
        self.wanted.close()
        if self._arrivals is not None:
            self._arrivals.leave()

    def release(self) -> None:
        """End the work; nobody uses the container any more."""
        self.leave()
        self._released.set()

    def run(self) -> None:
        container: Optional[InputContainer] = None
        try:
            container = self._in_time(self._opening)
            if self.given.put(container):
                self._read(container)
        except BaseException as error:  # whatever it is belongs to whoever reads
            self.given.end(error)
        else:
            self.given.end()
        self._released.wait()
        if container is not None:
            container.close()
        if self._arrivals is not None:
            self._arrivals.close()

    def _read(self, container: InputContainer) -> None:
        stream = self.wanted.take()
        if stream is None:
            return
        packets = demuxed(container, stream)
        while True:
            packet = self._in_time(lambda: next(packets, None))
            if packet is None or self.given.closed:
                return
            if self._attempt.enters(packet, self.given.full):
                self.given.put(_Came(packet, time.perf_counter()))

    def _in_time(self, step: Callable[[], T]) -> T:
        """What FFmpeg gives; raises _Late for an error, or the end, after a wait for all the time that it was given.

        Interrupted, FFmpeg may still give the packets that it holds, and then say that the stream has ended. Those are
        there at once: what is waited for afterwards has come anew, of a source that was slow to be looked into.
        """
        began = time.monotonic()
        result: Optional[T] = None
        try:
            result = step()
            return result
        finally:
            took = time.monotonic() - began
            if self._timeout is not None and took >= self._timeout:
                self._late, self._since_late = True, 0.0
            elif result is not None:
                self._since_late += took
                self._late &= self._since_late < GRACE
            if self._late and result is None:
                raise _Late
