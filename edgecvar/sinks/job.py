"""Sources run one after the other, each into its sinks."""

from __future__ import annotations

import glob
import os
import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ContextManager, Iterator, List, Literal, Optional, Sequence, TextIO, Tuple

from pydantic import Field

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import open_bundle
from edgecvar.clips.feed import Watcher
from edgecvar.clips.labelled import videos_below
from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import ConfigError, DatasetError, EdgecvarError, StreamError, reason
from edgecvar.files import check_writable
from edgecvar.run.decisions import ended_by
from edgecvar.run.event_settings import EventSettings, background_of
from edgecvar.run.events import Event, EventTracker
from edgecvar.run.model import Model, Run, RunSettings
from edgecvar.runners.choice import RunnerChoice
from edgecvar.sinks.clips.event_clips import ClipSettings, EventClips
from edgecvar.sinks.clips.folder import source_part
from edgecvar.sinks.csv_lines import CsvLines, EventRows
from edgecvar.sinks.delivery.delivery import Deliveries
from edgecvar.sinks.delivery.opening import DeliveryOptions, open_deliveries
from edgecvar.sinks.json_lines import JsonLines
from edgecvar.sinks.overlay import Overlay, check_overlay
from edgecvar.sinks.sink import Sink
from edgecvar.sinks.table import LiveTable, PlainTable
from edgecvar.sinks.together import run_together
from edgecvar.sinks.untrained import warn_untrained
from edgecvar.stream.images.choice import Decoder, candidates
from edgecvar.stream.live import LATE, Patience
from edgecvar.stream.reader import Extraction
from edgecvar.stream.sources.opening import LONGEST, TIMEOUT, is_source, path_of, without_password
from edgecvar.stream.sources.pipe import named_source
from edgecvar.stream.types import StreamInfo
from edgecvar.terminal import json_line, own_output, printable, say

Form = Literal["table", "json", "csv"]
FORMS = {".csv": "csv", ".json": "json", ".jsonl": "json"}
"""What the name of an output file says of its form."""


class RunConfig(RunnerChoice):
    """`sources`: files, URLs, or "-" alone for standard input.

    `form`: of what is written, by default as `output` is called, else a table. `overlay`: a video, of several sources
    a folder. `to`: URIs of sinks that deliver elsewhere, `spool`: where what waits for them is kept. `every`: sample
    one of every k pictures. `top`: labels listed with a decision. `decoder`: what decodes I-pictures. `timeout`:
    seconds without data. `events`: how decisions become events, none unless given; `clips`: where those are cut out of
    the stream. `reconnect`: whether a URL is waited for, by default a live one's; `wait`: seconds that it may be away;
    `late`: seconds after a live picture's arrival from which on fewer are sampled, and packets fall. `together`:
    several run at the same time.
    """

    sources: Tuple[str, ...] = Field(min_length=1)
    bundle: Optional[Path] = None
    form: Optional[Form] = None
    output: Optional[Path] = None
    overlay: Optional[Path] = None
    to: Tuple[str, ...] = ()
    spool: Optional[Path] = None
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    top: int = Field(5, ge=1, le=1000)
    extraction: Extraction = "auto"
    decoder: Decoder = "auto"
    timeout: float = Field(TIMEOUT, gt=0, le=LONGEST)
    events: Optional[EventSettings] = None
    clips: Optional[ClipSettings] = None
    reconnect: Optional[bool] = None
    wait: Optional[float] = Field(None, gt=0, le=LONGEST)
    late: float = Field(LATE, gt=0, le=LONGEST)
    together: bool = False

    @property
    def written_form(self) -> str:
        by_name = "table" if self.output is None else FORMS.get(self.output.suffix.lower(), "table")
        return self.form or by_name


def find_sources(arguments: Sequence[str]) -> List[str]:
    """What the arguments name, each once: a folder's videos, a pattern's files; raises DatasetError for none."""
    sources: List[str] = []
    for argument in arguments:
        if not argument:
            raise ConfigError("a source is empty; name a file, a folder with videos, or a pattern in quotes")
        if os.path.isdir(argument):
            matches = [str(file) for file in videos_below(Path(argument))]
        elif glob.has_magic(argument) and "://" not in argument and not os.path.exists(argument):
            matches = sorted(file for file in glob.glob(argument, recursive=True) if Path(file).is_file())
        else:
            matches = [argument]
        if not matches:
            raise DatasetError(f"{argument}: no video there; name a file, a folder with videos, or a pattern in quotes")
        sources += matches
    return list(dict.fromkeys(sources))


def run_job(config: RunConfig) -> bool:
    """Run every source; whether all of them could be. Raises EdgecvarError where the only one cannot, or none."""
    _check(config)
    deliveries = open_deliveries(config.to, DeliveryOptions(config.spool))
    bundle = open_bundle(config.bundle or default_bundle())
    with ExitStack() as stack:
        out = stack.enter_context(_standard_output(config) if config.output is None else _opened(config.output))
        stack.enter_context(_delivering(deliveries, config, out))
        model = stack.enter_context(Model(bundle, config))
        warn_untrained(bundle)
        if config.events is not None:
            _name_background(config.events, model.labels)
        if config.together:
            return run_together(config, bundle, out)
        job = _Job(config, model, out, deliveries)
        if len(config.sources) > 1:
            return job.run_all()
        job.run(config.sources[0])
        return True


class _Job:
    """The sources of one command, and where what is decided of each goes."""

    def __init__(self, config: RunConfig, model: Model, out: TextIO, deliveries: Deliveries) -> None:
        self._config, self._model, self._out, self._deliveries = config, model, out, deliveries
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
        with ExitStack() as stack:
            overlays: List[Overlay] = []

            def watch(info: StreamInfo) -> Optional[Watcher]:
                target = _overlay_file(self._config, source)
                if target is None:
                    return None
                note = "untrained" * self._model.untrained
                overlays.append(Overlay(source, target, info, note, self._config.timeout))
                return overlays[0]

            config = self._config
            clips, tracker = self._clips(source), self._tracker()
            settings = RunSettings(
                config.every,
                config.top,
                config.timeout,
                config.extraction,
                watch,
                None if clips is None else clips.tap,
                config.reconnect,
                Patience(wait=config.wait, late=config.late),
                partial(say, err=True),
                decoder=config.decoder,
            )
            run = stack.enter_context(self._model.start(named_source(source), settings))
            told = self._deliveries.for_source(without_password(source), lambda: run.summary)
            sinks: List[Sink] = [self._written(source), told, *overlays, *([] if clips is None else [clips])]
            for sink in sinks:
                stack.enter_context(sink)
            _pour(run, sinks, tracker)
        for overlay in overlays:
            say(f"overlay: {overlay.target}", err=True)
        if run.summary.note:
            raise StreamError(f"{without_password(source)}: {run.summary.note}")

    def _tracker(self) -> Optional[EventTracker]:
        events = self._config.events
        return None if events is None else EventTracker(self._model.labels, events)

    def _clips(self, source: str) -> Optional[EventClips]:
        config = self._config
        if config.clips is None or config.events is None:
            return None
        path = None if source == "-" else path_of(source)
        return EventClips(config.clips, config.events, source, live=path is None or not path.is_file())

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
    for name in deliveries.events_only if config.events is None else []:
        say(f"warning: {name}: is told of events alone, and this run makes none", err=True)
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
        return
    documents = [{"to": printable(name), **counts.document} for name, counts in deliveries.counts.items()]
    with suppress(OSError):  # an output that takes no more has been an error before
        out.write(json_line({"deliveries": documents}) + "\n")
        out.flush()


def _pour(run: Run, sinks: Sequence[Sink], tracker: Optional[EventTracker]) -> None:
    """Every decision and event into every sink, and the summary when the run has ended, whatever ended it."""
    try:
        for decision in run:
            for sink in sinks:
                sink.decision(decision)
            _tell(sinks, [] if tracker is None else tracker.decision(decision))
    except BaseException as error:
        run.close()
        summary, last = replace(run.summary, ended=ended_by(error)), _last_events(tracker)
        for sink in sinks:
            with suppress(EdgecvarError, OSError):  # what a broken sink says twice would hide the error
                _tell([sink], last)
                sink.finish(summary)
        raise
    _tell(sinks, _last_events(tracker))
    for sink in sinks:
        sink.finish(run.summary)


def _last_events(tracker: Optional[EventTracker]) -> Sequence[Event]:
    return [] if tracker is None else tracker.finish()


def _tell(sinks: Sequence[Sink], events: Sequence[Event]) -> None:
    for event in events:
        for sink in sinks:
            sink.event(event)


def _check(config: RunConfig) -> None:
    """Refuse what cannot be written before anything is read; raises ConfigError."""
    if "-" in config.sources and len(config.sources) > 1:
        raise ConfigError("- is standard input, and cannot be one of several sources")
    if config.together and config.overlay is not None:
        raise ConfigError("--together: it draws no --overlay; run the source that is to have one apart")
    output = config.output
    if output is not None:
        if any(is_source(each, output) for each in config.sources):
            raise ConfigError(f"--output {output}: this is a source itself; choose another name")
        if output.is_dir() or not output.absolute().parent.is_dir():
            raise ConfigError(f"--output {output}: not a file in an existing folder; make the folder first")
        if config.overlay is not None and output.absolute() == config.overlay.absolute():
            raise ConfigError(f"--output {output}: --overlay writes there, too; choose another name")
    if config.clips is not None:
        _check_clips(config, config.clips)
    if config.overlay is not None and len(config.sources) > 1:
        if not config.overlay.is_dir():
            raise ConfigError(f"--overlay {config.overlay}: not a folder, and there are several sources; make it first")
        names = [Path(source).stem for source in config.sources]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"--overlay: two sources are called {twice}; run them apart")
    for source in config.sources:
        target = _overlay_file(config, source)
        if target is not None:
            check_overlay(source, target)


def _name_background(events: EventSettings, labels: Sequence[str]) -> None:
    """Which labels give no event, where nobody said so but their names."""
    found = sorted(background_of(events, labels))
    if found and events.background is None:
        names = ", ".join(found)
        say(f"events: {names}: background by name, gives none; --event background= lists others", err=True)


def _check_clips(config: RunConfig, clips: ClipSettings) -> None:
    if config.events is None:
        raise ConfigError("--clips: clips are of events, which nobody asked for; add --events")
    if not clips.clips.is_dir():
        raise ConfigError(f"--clips {clips.clips}: not a folder; make it first")
    check_writable(clips.clips, "choose another --clips")
    names = [source_part(source) for source in config.sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"--clips: those of two sources would be called {twice}; run them apart")


def _overlay_file(config: RunConfig, source: str) -> Optional[Path]:
    if config.overlay is None or not config.overlay.is_dir():
        return config.overlay
    return config.overlay / f"{Path(without_password(source)).stem}.mp4"


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
