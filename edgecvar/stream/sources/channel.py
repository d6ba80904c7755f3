"""A bounded queue between one reader thread and its caller that either side can end."""

from __future__ import annotations

import queue
from collections import deque
from threading import Condition
from typing import Deque, Generic, Optional, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Holds at most `capacity` items: `put` waits for room, `take` for an item, and `close` frees both."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: Deque[T] = deque()
        self._changed = Condition()
        self._ended = False
        self._closed = False
        self._error: Optional[BaseException] = None

    @property
    def closed(self) -> bool:
        """Whether the taker has left; nothing that is put will be seen."""
        return self._closed

    def put(self, item: T) -> bool:
        """Add an item, waiting for room; False when the taker has left."""
        with self._changed:
            while len(self._items) >= self._capacity and not self._closed:
                self._changed.wait()
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()
            return not self._closed

    def end(self, error: Optional[BaseException] = None) -> None:
        """No more items: the taker gets those that are left, then `error` if there is one."""
        with self._changed:
            self._ended = True
            self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """The taker leaves: what is held is dropped and a waiting `put` returns False."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def take(self, timeout: Optional[float] = None) -> Optional[T]:
        """The next item, or None at the end; raises what the putter ended with, and queue.Empty after `timeout` s."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._ended or self._closed, timeout):
                raise queue.Empty
            if self._items:
                self._changed.notify_all()
                return self._items.popleft()
            if self._error is not None:
                raise self._error
            return None
