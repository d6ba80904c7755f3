"""Where the decisions of one source go: into its sinks, with the events that they come to."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, Callable, List, Optional, Sequence

from edgecvar.errors import EdgecvarError
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event, EventTracker
from edgecvar.run.model import RunSettings
from edgecvar.run.trace import Observers
from edgecvar.sinks.clips.event_clips import EventClips
from edgecvar.sinks.delivery.delivery import Deliveries
from edgecvar.sinks.settings import RunConfig
from edgecvar.sinks.sink import Sink
from edgecvar.stream.live import Patience
from edgecvar.stream.packets import PacketTap
from edgecvar.stream.sources.opening import path_of, without_password
from edgecvar.terminal import say


class Outflow:
    """Takes what is decided of one run of a source; `enter` it before the first decision, and it is left whole.

    `labels` are the bundle's. `tap` is for the stream.
    """

    def __init__(self, config: RunConfig, source: str, labels: Sequence[str], deliveries: Deliveries) -> None:
        self._tracker = None if config.events is None else EventTracker(labels, config.events)
        self._clips = _clips(config, source)
        self._name, self._deliveries = without_password(source), deliveries
        self._sinks: List[Sink] = []
        self._stack = ExitStack()

    @property
    def tap(self) -> Optional[PacketTap]:
        return None if self._clips is None else self._clips.tap

    def enter(self, sinks: Sequence[Sink], counts: Callable[[], RunSummary]) -> None:
        """Begin, with sinks of the run's own; `counts` gives those so far."""
        told = self._deliveries.for_source(self._name, counts)
        for sink in (*sinks, told, *([] if self._clips is None else [self._clips])):
            self._stack.enter_context(sink)
            self._sinks.append(sink)

    def __enter__(self) -> Outflow:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._stack.__exit__(kind, error, trace)

    def decision(self, decision: Decision) -> None:
        for sink in self._sinks:
            sink.decision(decision)
        self._tell([] if self._tracker is None else self._tracker.decision(decision))

    def finish(self, summary: RunSummary) -> None:
        """The run has come to its end, or was left."""
        self._tell(self._last())
        for sink in self._sinks:
            sink.finish(summary)

    def fail(self, summary: RunSummary) -> None:
        """The same where an error has ended it, which one of a sink would hide."""
        last = self._last()
        for sink in self._sinks:
            with suppress(EdgecvarError, OSError):
                for event in last:
                    sink.event(event)
                sink.finish(summary)

    def _last(self) -> Sequence[Event]:
        return [] if self._tracker is None else self._tracker.finish()

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            for sink in self._sinks:
                sink.event(event)


def _clips(config: RunConfig, source: str) -> Optional[EventClips]:
    if config.clips is None or config.events is None:
        return None
    path = None if source == "-" else path_of(source)
    return EventClips(config.clips, config.events, source, live=path is None or not path.is_file())


def run_settings(config: RunConfig, outflow: Outflow, observers: Observers) -> RunSettings:
    """How a source is run for its outflow."""
    return RunSettings(
        every=config.every,
        top=config.top,
        timeout=config.timeout,
        extraction=config.extraction,
        decoder=config.decoder,
        tap=outflow.tap,
        reconnect=config.reconnect,
        patience=Patience(wait=config.wait, late=config.late),
        tell=partial(say, err=True),
        observers=observers,
        exits=config.exits,
    )
