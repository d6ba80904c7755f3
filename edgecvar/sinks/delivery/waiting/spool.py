"""What waits to be delivered: in memory within bounds, with a copy on the disk for the next start."""

from __future__ import annotations

import errno
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from threading import Condition, Thread
from typing import Deque, List, Optional, Tuple

from edgecvar.errors import ConfigError, reason
from edgecvar.files import only_user
from edgecvar.sinks.delivery.waiting.journal import Journal, Numbered

MOST_USERS = 16
"""Processes that may deliver to one place at a time, each out of a folder of its own."""

RETRY = 5.0
"""Seconds after which a disk that has failed is tried again."""
ROOM = 1 << 16
"""Bytes that a journal may always take, so that a small bound does not mean much writing."""


@dataclass(frozen=True)
class Bounds:
    """Of what waits: the oldest is dropped beyond them. On the disk it takes up to three times as much."""

    records: int = 10_000
    size: int = 4 << 20

    @property
    def file(self) -> int:
        """Bytes beyond which a file is written anew."""
        return 2 * self.size + ROOM


DEFAULT = Bounds()


class Spool:
    """A queue of records, oldest first. `put` never waits for the disk: a thread writes what is put.

    Where the disk is full or gone, records are kept in memory alone, and tried again. What processes
    that have ended left in `folder` is taken up when this is entered, which raises ConfigError where nothing can be
    kept there.
    """

    def __init__(self, folder: Path, bounds: Bounds = DEFAULT) -> None:
        self._folder, self._bounds = folder, bounds
        self._changed = Condition()
        self._waiting: Deque[Numbered] = deque()
        self._size = 0
        self._next = 0
        self._taken: Optional[int] = None
        self._saved = 0
        self._marked = 0
        self._closing = False
        self._journal: Optional[Journal] = None
        self._stack = ExitStack()
        self._writer = Thread(target=self._write, name="edgecvar-spool", daemon=True)
        self.dropped = 0
        self.trouble = ""
        """Why records are in memory alone; empty where they are not."""

    def __enter__(self) -> Spool:
        with ExitStack() as stack:
            try:
                self._take_up(stack)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    remedy = "name a folder that can be written to: --spool FOLDER"
                    raise ConfigError(f"{self._folder}: nothing can wait there ({reason(error)}); {remedy}") from error
                self.trouble = reason(error)
            self._stack = stack.pop_all()
        self._writer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _take_up(self, stack: ExitStack) -> None:
        """Open a journal of this process alone, which then has what others have left, too."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        journal: Optional[Journal] = None
        for place in (self._folder / str(number) for number in range(MOST_USERS)):
            if journal is None:
                place.mkdir(exist_ok=True)
                with suppress(BlockingIOError):
                    stack.enter_context(only_user(place))
                    journal = Journal(place / "journal")
                    stack.callback(journal.close)
                    self._remember(*journal.load(self._bounds.file))
                    self._journal, self._saved = journal, self._next
            elif place.is_dir():
                with suppress(BlockingIOError), only_user(place):
                    self._adopt(journal, Journal(place / "journal"))
        if journal is None:
            raise OSError(errno.EBUSY, f"{MOST_USERS} processes use it already")

    def _adopt(self, journal: Journal, other: Journal) -> None:
        try:
            records, broken = other.load(self._bounds.file)
            ours = [(self._next + place, content) for place, (_, content) in enumerate(records)]
            journal.append(ours)
            self._remember(ours, broken)
            self._saved = self._next
            other.clear()
        finally:
            other.close()

    def _remember(self, records: List[Numbered], broken: int) -> None:
        self.dropped += broken
        for number, content in records:
            self._next = number
            self.put(content)

    def close(self, timeout: float = 1.0) -> None:
        """Write what is left and let go of the folder; what cannot be written is dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._writer.join(timeout)
        with self._changed:
            while self._waiting and self._waiting[-1][0] >= self._saved:
                self._waiting.pop()
                self.dropped += 1
        if not self._writer.is_alive():  # else it hangs in the disk, and the folder stays its own
            self._stack.close()

    def put(self, content: bytes) -> None:
        """Add a record, which holds no line break; the oldest make room for it."""
        with self._changed:
            if self._closing:
                self.dropped += 1
                return
            self._waiting.append((self._next, content))
            self._next += 1
            self._size += len(content)
            while len(self._waiting) > self._bounds.records or self._size > self._bounds.size:
                self._remove_oldest()
                self.dropped += 1
            self._changed.notify_all()

    def take(self, timeout: float) -> Optional[Numbered]:
        """The oldest record, which stays until `done`; None where none has come within `timeout` seconds."""
        with self._changed:
            if not self._waiting and not self._closing:
                self._changed.wait(timeout)
            if not self._waiting:
                return None
            self._taken = self._waiting[0][0]
            return self._waiting[0]

    def done(self, number: int) -> None:
        """The record that was taken last is delivered, or nobody wants it."""
        with self._changed:
            if self._closing:
                return
            if self._waiting and self._waiting[0][0] == number:
                self._remove_oldest()
                self._changed.notify_all()
            elif self._taken == number:  # dropped while it was under way, and has come there all the same
                self.dropped -= 1
            self._taken = None

    def _remove_oldest(self) -> None:
        self._size -= len(self._waiting.popleft()[1])

    def wake(self) -> None:
        """Whoever waits for a record looks again."""
        with self._changed:
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _write(self) -> None:
        """The writer's thread."""
        closing = False
        while not closing:
            with self._changed:
                if self.trouble:
                    self._changed.wait_for(lambda: self._closing, RETRY)
                else:
                    self._changed.wait_for(lambda: self._closing or self._is_news(*self._to_write()))
                fresh, first = self._to_write()
                closing = self._closing
            if self._journal is not None:
                try:
                    self._store(self._journal, fresh, first)
                    self.trouble = ""
                except OSError as error:
                    self.trouble = reason(error)

    def _to_write(self) -> Tuple[List[Numbered], int]:
        """Records that are in memory alone, and the number of the oldest that waits."""
        fresh = list(takewhile(lambda record: record[0] >= self._saved, reversed(self._waiting)))
        return fresh[::-1], self._waiting[0][0] if self._waiting else self._next

    def _is_news(self, fresh: List[Numbered], first: int) -> bool:
        return bool(fresh) or first != self._marked

    def _store(self, journal: Journal, fresh: List[Numbered], first: int) -> None:
        if first >= self._saved:
            journal.clear()
        else:
            journal.begin_at(first)
        self._marked = first
        try:
            self._append(journal, fresh)
        except OSError:
            for record in fresh:  # as many as there is room for
                self._append(journal, [record])
        if journal.size > self._bounds.file:
            with self._changed:
                saved = [record for record in self._waiting if record[0] < self._saved]
            journal.rewrite(saved)

    def _append(self, journal: Journal, records: List[Numbered]) -> None:
        if records:
            journal.append(records)
            self._saved = records[-1][0] + 1
