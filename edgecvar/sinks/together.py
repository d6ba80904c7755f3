"""Sources that run at the same time, each into a sink of its own, and all of them into one file."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Callable, List, Optional, TextIO, cast

from edgecvar.bundle.manifest import Bundle
from edgecvar.run.decisions import Decision
from edgecvar.run.model import RunSettings
from edgecvar.run.station import SourceState, Station
from edgecvar.sinks.csv_lines import CsvLines
from edgecvar.sinks.json_lines import JsonLines
from edgecvar.sinks.sink import Sink
from edgecvar.sinks.table import PlainTable
from edgecvar.stream.sources.opening import without_password
from edgecvar.stream.sources.pipe import named_source
from edgecvar.terminal import printable, say

if TYPE_CHECKING:
    from edgecvar.sinks.job import RunConfig

LOOK_SECONDS = 0.1
"""How often it is looked whether what is written to has broken."""


def run_together(config: RunConfig, bundle: Bundle, out: TextIO) -> bool:
    """Run every source until all are over; whether all could be run. Raises what writing raises."""
    names = [without_password(source) for source in config.sources]
    width = max(len(printable(name)) for name in names)
    settings = RunSettings(config.every, config.top, config.timeout, config.extraction)
    untrained, labels, lock = bundle.manifest.provenance.untrained, bundle.manifest.labels, Lock()
    writing: List[_Written] = []
    for number, name in enumerate(names):
        sink: Sink
        if config.written_form == "json":
            sink = JsonLines(out, name, untrained)
        elif config.written_form == "csv":
            sink = CsvLines(out, name, header=not number)
        else:
            sink = PlainTable(cast(TextIO, _Column(out, name, width)), labels, untrained)
        writing.append(_Written(name, sink, lock))
    with Station(bundle, config) as station:
        for source, written in zip(config.sources, writing):
            station.add(source, named_source(source), settings, [written])
        while not station.wait(LOOK_SECONDS) and not any(each.broken for each in writing):
            pass
    for each in writing:
        if each.broken is not None:
            raise each.broken
    failed = sum(each.failed for each in writing)
    if failed:
        say(f"{failed} of {len(writing)} sources could not be run", err=True)
    return not failed


class _Column:
    """A text file whose every line begins with the source that it is of."""

    def __init__(self, out: TextIO, name: str, width: int) -> None:
        self._out, self._begin = out, f"{printable(name):<{width}}  "

    def write(self, text: str) -> None:
        self._out.write("".join(self._begin + line for line in text.splitlines(keepends=True)))

    def flush(self) -> None:
        self._out.flush()


class _Written:
    """What is written of one source; `broken` is what writing it raised."""

    def __init__(self, name: str, sink: Sink, lock: Lock) -> None:
        self.failed = False
        self.broken: Optional[BaseException] = None
        self._name, self._sink, self._lock = name, sink, lock

    def decision(self, name: str, decision: Decision) -> None:
        with self._lock:
            self._write(lambda: self._sink.decision(decision))

    def state(self, name: str, state: SourceState) -> None:
        if not state.over:
            return
        summary, reason = state.summary, state.reason if state.phase == "failed" else ""
        with self._lock:
            if summary is not None:
                self._write(lambda: self._sink.finish(summary))
                reason = reason or (f"{self._name}: {summary.note}" if summary.note else "")
            if reason and self.broken is None:
                self.failed = True
                say(f"error: {reason}", err=True)
                if isinstance(self._sink, JsonLines):
                    self._write(lambda: cast(JsonLines, self._sink).fail(reason))

    def _write(self, what: Callable[[], None]) -> None:
        try:
            what()
        except BaseException as error:
            self.broken = self.broken or error
            raise
