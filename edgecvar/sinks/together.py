"""Sources that run at the same time, each into a sink of its own, and all of them into one file."""

from __future__ import annotations

from threading import Lock
from typing import Callable, List, Optional, TextIO, cast

from edgecvar.bundle.manifest import Bundle
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.run.station import SourceState, Station
from edgecvar.run.trace import NOBODY, Observers
from edgecvar.sinks.csv_lines import CsvLines, EventRows
from edgecvar.sinks.delivery.delivery import Deliveries
from edgecvar.sinks.json_lines import JsonLines
from edgecvar.sinks.outflow import Outflow, run_settings
from edgecvar.sinks.settings import RunConfig
from edgecvar.sinks.sink import Sink
from edgecvar.sinks.table import PlainTable
from edgecvar.stream.sources.opening import without_password
from edgecvar.stream.sources.pipe import named_source
from edgecvar.terminal import printable, say

LOOK_SECONDS = 0.1
"""How often it is looked whether what is written to has broken."""


def run_together(
    config: RunConfig, bundle: Bundle, out: TextIO, deliveries: Deliveries, observers: Observers = NOBODY
) -> bool:
    """Run every source until all are over; whether all could be run. Raises what writing raises."""
    labels, lock = bundle.manifest.labels, Lock()
    running: List[_Source] = []
    with Station(bundle, config) as station:
        for number, source in enumerate(config.sources):
            written = _Locked(_written(config, bundle, out, number), lock)
            running.append(_Source(station, source, Outflow(config, source, labels, deliveries), written))
        for each in running:
            station.add(each.source, named_source(each.source), run_settings(config, each.outflow, observers), [each])
        while not station.wait(LOOK_SECONDS) and not any(each.broken for each in running):
            pass
    for each in running:
        if each.broken is not None:
            raise each.broken
    failed = sum(each.failed for each in running)
    if failed:
        say(f"{failed} of {len(running)} sources could not be run", err=True)
    return not failed


def _written(config: RunConfig, bundle: Bundle, out: TextIO, number: int) -> Sink:
    """What is written of the source of that number."""
    name, untrained = without_password(config.sources[number]), bundle.manifest.provenance.untrained
    if config.written_form == "json":
        return JsonLines(out, name, untrained)
    if config.written_form == "csv":
        return (CsvLines if config.events is None else EventRows)(out, name, header=not number)
    width = max(len(printable(without_password(source))) for source in config.sources)
    return PlainTable(cast(TextIO, _Column(out, name, width)), bundle.manifest.labels, untrained)


class _Column:
    """A text file whose every line begins with the source that it is of."""

    def __init__(self, out: TextIO, name: str, width: int) -> None:
        self._out, self._begin = out, f"{printable(name):<{width}}  "

    def write(self, text: str) -> None:
        self._out.write("".join(self._begin + line for line in text.splitlines(keepends=True)))

    def flush(self) -> None:
        self._out.flush()


class _Locked:
    """A sink, told one thing at a time with all others of its lock."""

    def __init__(self, sink: Sink, lock: Lock) -> None:
        self._sink, self._lock = sink, lock

    def __enter__(self) -> _Locked:
        self._sink.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._sink.__exit__(*exc)

    def decision(self, decision: Decision) -> None:
        with self._lock:
            self._sink.decision(decision)

    def event(self, event: Event) -> None:
        with self._lock:
            self._sink.event(event)

    def finish(self, summary: RunSummary) -> None:
        with self._lock:
            self._sink.finish(summary)

    def fail(self, error: str) -> None:
        """A source could not be run, or not to its end."""
        with self._lock:
            say(f"error: {error}", err=True)
            if isinstance(self._sink, JsonLines):
                self._sink.fail(error)


class _Source:
    """Hears of one source; `failed` where it could not be run, `broken` is what writing it raised."""

    def __init__(self, station: Station, source: str, outflow: Outflow, written: _Locked) -> None:
        self.source, self.outflow = source, outflow
        self.failed = False
        self.broken: Optional[BaseException] = None
        self._station, self._written = station, written
        self._counts: Optional[RunSummary] = None

    def decision(self, name: str, decision: Decision) -> None:
        self._write(lambda: self.outflow.decision(decision))

    def state(self, name: str, state: SourceState) -> None:
        if state.phase == "running":
            self._counts = state.summary
            self._write(lambda: self.outflow.enter([self._written], self._summary))
        elif state.over:
            self._write(lambda: self._over(state))

    def _summary(self) -> RunSummary:
        """The counts so far, or those known last."""
        state = self._station.state(self.source)
        self._counts = (None if state is None else state.summary) or self._counts
        assert self._counts is not None  # it runs
        return self._counts

    def _over(self, state: SourceState) -> None:
        summary, reason = state.summary, state.reason if state.phase == "failed" else ""
        if summary is not None:
            with self.outflow:
                (self.outflow.fail if self.broken else self.outflow.finish)(summary)
            reason = reason or (f"{without_password(self.source)}: {summary.note}" if summary.note else "")
        if reason and self.broken is None:
            self.failed = True
            self._written.fail(reason)

    def _write(self, what: Callable[[], None]) -> None:
        try:
            what()
        except BaseException as error:
            self.broken = self.broken or error
            raise
