"""A thread that carries records from a spool to a receiver, again and again until each is there."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Protocol, TypeVar

from edgecvar.errors import reason
from edgecvar.sinks.delivery.waiting.counts import DeliveryCounts, Tally
from edgecvar.sinks.delivery.waiting.journal import Numbered
from edgecvar.sinks.delivery.waiting.spool import Spool

Delivering = TypeVar("Delivering", bound="ByCourier")

TICK = 1.0
"""Seconds after which a carrier without a record may see to what else it has to do."""


@dataclass(frozen=True)
class Backoff:
    """Seconds between attempts: twice as long after each, up to `most`, less up to a half by chance."""

    first: float = 1.0
    most: float = 30.0

    def delay(self, attempts: int) -> float:
        """How long to wait after so many failed attempts in a row, from 1."""
        return min(self.most, self.first * 2.0 ** min(attempts - 1, 30)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class Outcome:
    """Of one attempt. `over`: the record is delivered, or refused where there is `trouble`; else it is to be tried
    again, not before `after` seconds. Where that is for no trouble, the carrier has waited itself.
    """

    over: bool
    trouble: str = ""
    after: float = 0.0


DELIVERED = Outcome(over=True)


class Carrier(Protocol):
    """How a record gets to one receiver; all but `abort` is called by the courier's thread alone."""

    def deliver(self, record: Numbered) -> Outcome:
        """One attempt, of bounded time; what it raises counts as a failure, for good unless OSError."""
        ...

    def tick(self) -> None:
        """Called before each attempt, and about every second without one."""
        ...

    def abort(self) -> None:
        """End an attempt under way, from another thread."""
        ...

    def close(self) -> None:
        """No more attempts."""
        ...


class Courier:
    """Delivers what is put, in order, from entering to `wait`; whoever puts never waits."""

    def __init__(self, carrier: Carrier, spool: Spool, tally: Tally, backoff: Backoff) -> None:
        self._carrier, self._spool, self._tally, self._backoff = carrier, spool, tally, backoff
        self._leaving = Event()
        self._aborted = False
        self._thread = Thread(target=self._run, name="edgecvar-courier", daemon=True)

    def __enter__(self) -> Courier:
        self._spool.__enter__()
        self._thread.start()
        return self

    def put(self, content: str) -> None:
        """One line of text to be delivered."""
        self._spool.put(content.encode())

    def leave(self) -> None:
        """What waits is tried once more, without waiting between attempts."""
        self._leaving.set()
        self._spool.wake()

    def wait(self, seconds: float) -> None:
        """After `leave`: end the thread, in so many seconds and a little; what is left stays in the spool."""
        self._thread.join(max(seconds, 0.0))
        if self._thread.is_alive():
            self._aborted = True
            self._carrier.abort()
            self._thread.join(0.3)
        self._spool.close()

    @property
    def counts(self) -> DeliveryCounts:
        counts = self._tally.counts
        trouble = counts.trouble or self._spool.trouble
        return replace(counts, dropped=self._spool.dropped, waiting=self._spool.waiting, trouble=trouble)

    def _run(self) -> None:
        """The courier's thread."""
        attempts, failed = 0, False
        while not self._aborted:
            leaving = self._leaving.is_set()
            record = self._spool.take(0.0 if leaving else TICK)
            if leaving and (record is None or failed):
                break
            self._tick()
            if record is None:
                continue
            outcome = self._attempt(record)
            failed = not outcome.over
            attempts = attempts + 1 if failed else 0
            self._settle(record, outcome)
            if failed and outcome.trouble:
                self._leaving.wait(max(outcome.after, self._backoff.delay(attempts)))
        self._end()

    def _tick(self) -> None:
        try:
            self._carrier.tick()
        except Exception as error:  # it must not end deliveries
            self._tally.failed(reason(error))

    def _attempt(self, record: Numbered) -> Outcome:
        try:
            return self._carrier.deliver(record)
        except Exception as error:  # what no carrier foresaw must neither end deliveries nor come again and again
            return Outcome(over=not isinstance(error, OSError), trouble=reason(error))

    def _settle(self, record: Numbered, outcome: Outcome) -> None:
        if not outcome.over:
            if outcome.trouble:
                self._tally.failed(outcome.trouble)
            return
        self._spool.done(record[0])
        if outcome.trouble:
            self._tally.refused(outcome.trouble)
        else:
            self._tally.delivered()

    def _end(self) -> None:
        try:
            self._carrier.close()
        except Exception as error:
            self._tally.failed(reason(error))


class ByCourier:
    """What of a Delivery is its courier's: all but its name and its sinks."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    def __enter__(self: Delivering) -> Delivering:
        self._courier.__enter__()
        return self

    def leave(self) -> None:
        self._courier.leave()

    def wait(self, seconds: float) -> None:
        self._courier.wait(seconds)

    @property
    def counts(self) -> DeliveryCounts:
        return self._courier.counts
