"""Sources run one after the other, each into its sinks."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import ContextManager, Iterator, List, Optional, Sequence, TextIO

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import open_bundle
from edgecvar.clips.feed import Watcher
from edgecvar.errors import ConfigError, EdgecvarError, StreamError, reason
from edgecvar.run.decisions import ended_by
from edgecvar.run.event_settings import EventSettings, background_of
from edgecvar.run.model import Model, Run
from edgecvar.run.nvtx import find_ranges
from edgecvar.run.trace import Observers, Trace
from edgecvar.run.trace_file import tracing
from edgecvar.sinks.csv_lines import CsvLines, EventRows
from edgecvar.sinks.delivery.delivery import Deliveries
from edgecvar.sinks.delivery.opening import DeliveryOptions, default_spool, open_deliveries
from edgecvar.sinks.json_lines import JsonLines
from edgecvar.sinks.outflow import Outflow, run_settings
from edgecvar.sinks.overlay import Overlay
from edgecvar.sinks.settings import RunConfig, check_settings, overlay_file
from edgecvar.sinks.sink import Sink
from edgecvar.sinks.table import LiveTable, PlainTable
from edgecvar.sinks.together import run_together
from edgecvar.sinks.untrained import warn_untrained
from edgecvar.stream.images.choice import candidates
from edgecvar.stream.sources.opening import without_password
from edgecvar.stream.sources.pipe import named_source
from edgecvar.stream.types import StreamInfo
from edgecvar.terminal import json_line, own_output, printable, say


def run_job(config: RunConfig) -> bool:
    """Run every source; whether all of them could be. Raises EdgecvarError where the only one cannot, or none."""
    check_settings(config)
    deliveries = open_deliveries(config.to, DeliveryOptions(config.spool))
    if deliveries.events_only and config.events is None:
        config = config.model_copy(update={"events": EventSettings()})
    bundle = open_bundle(config.bundle or default_bundle(), config.trust)
    with ExitStack() as stack:
        observers = Observers(stack.enter_context(_tracing(config)), find_ranges(None))
        out = stack.enter_context(_standard_output(config) if config.output is None else _opened(config.output))
        stack.enter_context(_delivering(deliveries, config, out))
        model = stack.enter_context(Model(bundle, config))
        warn_untrained(bundle)
        if config.events is not None:
            _name_background(config.events, model.labels)
        if config.together:
            return run_together(config, bundle, out, deliveries, observers)
        job = _Job(config, model, out, deliveries, observers)
        if len(config.sources) > 1:
            return job.run_all()
        job.run(config.sources[0])
        return True


class _Job:
    """The sources of one command, and where what is decided of each goes."""

    def __init__(
        self, config: RunConfig, model: Model, out: TextIO, deliveries: Deliveries, observers: Observers
    ) -> None:
        self._config, self._model, self._out, self._deliveries = config, model, out, deliveries
        self._observers = observers
        self._header_due = True

    def run_all(self) -> bool:
        """One after the other; what cannot be run is named, and the others go on."""
        failed, total = 0, len(self._config.sources)
        for number, source in enumerate(self._config.sources, start=1):
            name = without_password(source)
            say(f"[{number}/{total}] {name}", err=True)
            try:
                self.run(source)
            except EdgecvarError as error:
                failed += 1
                say(f"error: {error}", err=True)
                if self._config.written_form == "json":
                    JsonLines(self._out, name, self._model.untrained).fail(str(error))
        if failed:
            say(f"{failed} of {total} sources could not be run", err=True)
        return not failed

    def run(self, source: str) -> None:
        """One source into its sinks; raises EdgecvarError."""
        config = self._config
        overlays: List[Overlay] = []

        def watch(info: StreamInfo) -> Optional[Watcher]:
            target = overlay_file(config, source)
            if target is None:
                return None
            overlays.append(Overlay(source, target, info, "untrained" * self._model.untrained, config.timeout))
            return overlays[0]

        with Outflow(config, source, self._model.labels, self._deliveries) as outflow:
            settings = replace(run_settings(config, outflow, self._observers), watch=watch)
            with self._model.start(named_source(source), settings) as run:
                outflow.enter([self._written(source), *overlays], lambda: run.summary)
                _pour(run, outflow)
        for overlay in overlays:
            say(f"overlay: {overlay.target}", err=True)
        if run.summary.note:
            raise StreamError(f"{without_password(source)}: {run.summary.note}")

    def _written(self, source: str) -> Sink:
        form, untrained, source = self._config.written_form, self._model.untrained, without_password(source)
        if form == "json":
            return JsonLines(self._out, source, untrained)
        if form == "csv":
            header, self._header_due = self._header_due, False
            rows = CsvLines if self._config.events is None else EventRows
            return rows(self._out, source, header)
        if self._out.isatty():
            return LiveTable(f"{source}  {self._model.bundle.name}{'  (untrained)' * untrained}")
        title = source if len(self._config.sources) > 1 else ""
        return PlainTable(self._out, self._model.labels, untrained, title)


@contextmanager
def _delivering(deliveries: Deliveries, config: RunConfig, out: TextIO) -> Iterator[None]:
    """Sets the deliveries up; says of each, at the end, what became of it."""
    entered = False
    try:
        with deliveries:
            entered = True
            yield
    finally:
        if entered and config.to:
            _say_counts(deliveries, config, out)


def _say_counts(deliveries: Deliveries, config: RunConfig, out: TextIO) -> None:
    if config.written_form != "json":
        for name, counts in deliveries.counts.items():
            say(f"{name}: {counts.line}", err=True)
        if any(counts.waiting for counts in deliveries.counts.values()):
            say(f"what waits is kept in {config.spool or default_spool()}, for the next run that tells them", err=True)
        return
    documents = [{"to": printable(name), **counts.document} for name, counts in deliveries.counts.items()]
    with suppress(OSError):  # an output that takes no more has been an error before
        out.write(json_line({"deliveries": documents}) + "\n")
        out.flush()


def _pour(run: Run, outflow: Outflow) -> None:
    """Every decision, and the summary when the run has ended, whatever ended it."""
    try:
        for decision in run:
            outflow.decision(decision)
    except BaseException as error:
        run.close()
        outflow.fail(replace(run.summary, ended=ended_by(error)))
        raise
    outflow.finish(run.summary)


def _tracing(config: RunConfig) -> ContextManager[Optional[Trace]]:
    return tracing(config.trace, config.sources, [config.output, config.overlay])


def _name_background(events: EventSettings, labels: Sequence[str]) -> None:
    """Which labels give no event, where nobody said so but their names."""
    found = sorted(background_of(events, labels))
    if found and events.background is None:
        names = ", ".join(found)
        say(f"events: {names}: background by name, gives none; --event background= lists others", err=True)


def _standard_output(config: RunConfig) -> ContextManager[TextIO]:
    return own_output() if candidates(config.decoder) else nullcontext(sys.stdout)


@contextmanager
def _opened(output: Path) -> Iterator[TextIO]:
    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:  # closing writes what is left
        raise _refusal(output, error) from error


def _refusal(output: Path, error: OSError) -> ConfigError:
    return ConfigError(f"--output {output}: cannot be written ({reason(error)}); choose another file")
