"""One set of deliveries, which several sources share."""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Protocol, Sequence

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.sinks.delivery.waiting.counts import DeliveryCounts
from edgecvar.sinks.sink import Sink

LEAVING = 2.0
"""Seconds that leaving the deliveries waits for what can still be delivered."""
INTERRUPTED = 0.5
"""The same after Ctrl-C, or SIGTERM."""


@dataclass(frozen=True)
class SourceRun:
    """One source from its opening to its end. `name`: for people, without a password. `live`: its counts so far."""

    name: str
    live: Optional[Callable[[], RunSummary]] = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))


class Delivery(Protocol):
    """Where what is decided of any number of sources goes. Entered before the first `sink`; left by `leave`, `wait`.

    `name` has no secret in it. `events_only`: decisions alone tell it nothing. Making one touches nothing outside;
    entering it raises ConfigError where it cannot be set up.
    """

    name: str
    events_only: bool

    def __enter__(self) -> Any: ...

    def sink(self, run: SourceRun) -> Sink:
        """What one source tells: none of its calls waits, or raises."""
        ...

    def leave(self) -> None:
        """Nothing comes any more."""
        ...

    def wait(self, seconds: float) -> None:
        """End within so many seconds and a little more, and keep what is left for the next start."""
        ...

    @property
    def counts(self) -> DeliveryCounts:
        """From any thread, also after it was left."""
        ...


class Deliveries:
    """Entered before the first source; leaving waits a little, for all of them together."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self._deliveries = deliveries
        self._entered: List[Delivery] = []

    def __enter__(self) -> Deliveries:
        try:
            for delivery in self._deliveries:
                delivery.__enter__()
                self._entered.append(delivery)
        except BaseException:
            self.__exit__(None)
            raise
        return self

    def __exit__(self, kind: Any, *exc: object) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        end = time.monotonic() + (INTERRUPTED if interrupted else LEAVING)
        for delivery in self._entered:
            delivery.leave()
        for delivery in self._entered:
            delivery.wait(end - time.monotonic())

    def for_source(self, name: str, live: Optional[Callable[[], RunSummary]] = None) -> Sink:
        """The sink of one run of a source: all the deliveries. `live` gives the counts of the run so far."""
        run = SourceRun(name, live)
        return _All([delivery.sink(run) for delivery in self._deliveries])

    @property
    def events_only(self) -> List[str]:
        """The names of those that decisions alone tell nothing."""
        return [delivery.name for delivery in self._deliveries if delivery.events_only]

    @property
    def counts(self) -> Dict[str, DeliveryCounts]:
        """By name; of several equal names the later ones are numbered."""
        counts: Dict[str, DeliveryCounts] = {}
        for delivery in self._deliveries:
            name, number = delivery.name, 1
            while name in counts:
                number += 1
                name = f"{delivery.name} ({number})"
            counts[name] = delivery.counts
        return counts


class _All:
    """One source's sink of every delivery."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self._stack = ExitStack()

    def __enter__(self) -> _All:
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.enter_context(sink)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def decision(self, decision: Decision) -> None:
        for sink in self._sinks:
            sink.decision(decision)

    def event(self, event: Event) -> None:
        for sink in self._sinks:
            sink.event(event)

    def finish(self, summary: RunSummary) -> None:
        for sink in self._sinks:
            sink.finish(summary)
