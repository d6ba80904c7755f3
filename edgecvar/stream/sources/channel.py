"""A bounded queue between one reader thread and its caller that either side can end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, Optional, TypeVar, Union

T = TypeVar("T")


@dataclass(frozen=True)
class _End:
    """What stands behind the last item."""

    error: Optional[BaseException] = None


class Channel(Generic[T]):
    """Holds at most `capacity` items: `put` waits for room, `take` for an item, and `close` frees both.

    One thread puts and one takes. A signal may interrupt either, and it can be closed then: what waits here are the
    interpreter's own queues, where a Condition that was interrupted could no longer be notified (Python 3.8).
    """

    def __init__(self, capacity: int) -> None:
        self._items: SimpleQueue[Union[T, _End]] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(capacity):
            self._room.put(None)
        self._last: Optional[_End] = None
        self._closed = self._awaited = False

    @property
    def closed(self) -> bool:
        """Whether the taker has left; nothing that is put will be seen."""
        return self._closed

    @property
    def awaited(self) -> bool:
        """Whether the taker waits for an item and there is none."""
        return self._awaited and self._items.empty()

    @property
    def full(self) -> bool:
        """Whether the next `put` would wait."""
        return self._room.empty()

    def put(self, item: T) -> bool:
        """Add an item, waiting for room; False when the taker has left."""
        self._room.get()
        if self._closed:
            self._room.put(None)  # nor does the next one wait
            return False
        self._items.put(item)
        return True

    def end(self, error: Optional[BaseException] = None) -> None:
        """No more items: the taker gets those that are left, then `error` if there is one."""
        self._items.put(_End(error))

    def close(self) -> None:
        """The taker leaves: what is held is dropped and a waiting `put` returns False."""
        self._closed = True
        with suppress(Empty):
            while True:
                self._items.get_nowait()
        self._room.put(None)
        self._items.put(_End())

    def take(self, timeout: Optional[float] = None) -> Optional[T]:
        """The next item, or None at the end; raises what the putter ended with, and queue.Empty after `timeout` s."""
        while self._last is None and not self._closed:
            self._awaited = True
            try:
                item = self._items.get(timeout=timeout)
            finally:
                self._awaited = False
            if not isinstance(item, _End):
                self._room.put(None)
                return item
            self._last = item
        if self._last is not None and self._last.error is not None:
            raise self._last.error
        return None
