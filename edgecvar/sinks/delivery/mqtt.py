"""Events, with what is seen at the moment, to an MQTT broker."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Dict, Optional, Tuple

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.sinks.delivery.address import Address
from edgecvar.sinks.delivery.broker import Broker, Unreachable
from edgecvar.sinks.delivery.delivery import SourceRun
from edgecvar.sinks.delivery.home_assistant import OFFLINE, ONLINE, PREFIX, Topics, discovery
from edgecvar.sinks.delivery.messages import event_message, state_message
from edgecvar.sinks.delivery.waiting.counts import Tally
from edgecvar.sinks.delivery.waiting.courier import DELIVERED, Backoff, ByCourier, Courier, Outcome
from edgecvar.sinks.delivery.waiting.journal import Numbered
from edgecvar.sinks.delivery.waiting.spool import Spool
from edgecvar.sinks.sink import Sink
from edgecvar.terminal import json_line

PASSWORD = "EDGECVAR_MQTT_PASSWORD"
"""The environment variable that has the password where the URI has none."""
EVERY = 1.0
"""Seconds between two states of one source."""
MOST_SOURCES = 256
"""Sources of which is known what they see; those that are over are forgotten beyond."""


class Mqtt(ByCourier):
    """A Delivery of events to TOPIC/SOURCE/event, of states to TOPIC/SOURCE/state and of who is there to .../status."""

    events_only = False

    def __init__(self, address: Address, spool: Spool, backoff: Backoff) -> None:
        self.name = address.name
        self._tally = Tally()
        self._base = address.path.strip("/")
        password = address.password if address.password is not None else os.environ.get(PASSWORD)
        broker = Broker(address, password, (f"{self._base}/status", OFFLINE), backoff, self._tally)
        self._publisher = _Publisher(broker, self._base, address.settings.get("discovery", PREFIX).strip("/"))
        super().__init__(Courier(self._publisher, spool, self._tally, backoff))

    def sink(self, run: SourceRun) -> Sink:
        return _Source(run, Topics(self._base, run.name), self._courier, self._publisher)


class _Source:
    """One source's events and states."""

    def __init__(self, run: SourceRun, topics: Topics, courier: Courier, publisher: _Publisher) -> None:
        self._run, self._topics, self._courier, self._publisher = run, topics, courier, publisher

    def __enter__(self) -> _Source:
        self._publisher.show(self._run.name, ONLINE)
        return self

    def __exit__(self, *exc: object) -> None:
        self._publisher.show(self._run.name, OFFLINE)

    def decision(self, decision: Decision) -> None:
        self._publisher.see(self._run.name, decision)

    def event(self, event: Event) -> None:
        message = json_line(event_message(self._run, event))
        self._courier.put(json_line({"topic": self._topics.event, "message": message}))

    def finish(self, summary: RunSummary) -> None:
        return None


@dataclass
class _Shown:
    """What a source's retained topics are to hold; `told`: what they hold already."""

    status: str = OFFLINE
    decision: Optional[Decision] = None
    told: Tuple[str, Optional[Decision]] = ("", None)
    told_at: float = -EVERY
    announced: int = 0

    @property
    def due(self) -> bool:
        changed = self.told != (self.status, self.decision)
        return changed and (self.told[0] != self.status or time.monotonic() - self.told_at >= EVERY)


class _Publisher:
    """A Carrier: an event is published until the broker has acknowledged it, of what is seen the newest alone."""

    def __init__(self, broker: Broker, base: str, prefix: str) -> None:
        self._broker, self._base, self._prefix = broker, base, prefix
        self._lock = Lock()
        self._shown: Dict[str, _Shown] = {}
        self._online = 0

    def show(self, source: str, status: str) -> None:
        """A source is there, or no longer; from any thread."""
        with self._lock:
            self._shown.setdefault(source, _Shown()).status = status
            over = [name for name, shown in self._shown.items() if shown.status == OFFLINE]
            for name in over[: max(len(self._shown) - MOST_SOURCES, 0)]:
                del self._shown[name]

    def see(self, source: str, decision: Decision) -> None:
        """What a source sees; from any thread."""
        with self._lock:
            self._shown.setdefault(source, _Shown()).decision = decision

    def deliver(self, record: Numbered) -> Outcome:
        document = json.loads(record[1])
        try:
            self._broker.publish(document["topic"], document["message"])
        except Unreachable:
            self._broker.pause()
            return Outcome(over=False)
        return DELIVERED

    def tick(self) -> None:
        if self._broker.ready():
            with suppress(Unreachable):
                self._tell()

    def _tell(self) -> None:
        if self._online != self._broker.connections:
            self._broker.publish(f"{self._base}/status", ONLINE, retain=True)
            self._online = self._broker.connections
        with self._lock:
            shown = list(self._shown.items())
        for source, each in shown:
            topics = Topics(self._base, source)
            if each.announced != self._online:
                for topic, document in discovery(self._prefix, topics) if self._prefix else ():
                    self._broker.publish(topic, json_line(document), retain=True)
                each.announced, each.told = self._online, ("", None)
            if each.due:
                self._tell_of(each, topics)

    def _tell_of(self, shown: _Shown, topics: Topics) -> None:
        status, decision = shown.status, shown.decision
        if decision is not None and decision is not shown.told[1]:
            self._broker.publish(topics.state, json_line(state_message(decision)), retain=True)
        if status != shown.told[0]:
            self._broker.publish(topics.status, status, retain=True)
        shown.told, shown.told_at = (status, decision), time.monotonic()

    def abort(self) -> None:
        self._broker.abort()

    def close(self) -> None:
        """Say that every source is gone."""
        with self._lock:
            for shown in self._shown.values():
                shown.status = OFFLINE
        with suppress(Unreachable):
            if self._broker.connected:  # who was never told of it needs not be told that it is over
                self._tell()
                self._broker.publish(f"{self._base}/status", OFFLINE, retain=True)
        self._broker.close()
