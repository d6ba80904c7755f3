"""What a process of a scan does: a source run, a long one cut up, a piece of one run."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Union

import numpy as np

from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.bundle.stages import takes_frames
from edgecvar.errors import BundleError, EdgecvarError
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event, EventTracker
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.choice import make_runner
from edgecvar.runners.runner import Runner
from edgecvar.scan.cutting import cut, uncut
from edgecvar.scan.failures import Unwanted, failure_of
from edgecvar.scan.sources import opened_source
from edgecvar.scan.table import decision_rows, event_rows, in_order, scored_rows, to_bytes
from edgecvar.scan.values import Counts, CutUp, Job, Outcome, Piece, PieceSeen, Seen, Unsound, Work
from edgecvar.stream.reader import Stream
from edgecvar.stream.types import CodedPicture

AT_ONCE = 4096
"""Decisions that are kept with all their scores."""

State = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Worker:
    """What a process keeps from job to job."""

    work: Work
    bundle: Bundle
    runner: Runner
    unwanted: Callable[[], bool]
    stack: ExitStack


_HERE: Dict[str, Union[_Worker, Exception]] = {}


def enter_worker(work: Work, unwanted: Callable[[], bool]) -> None:
    """Loads the bundle, once a process; what is wrong with it is raised by the first job, which somebody waits for."""
    before = _HERE.pop("worker", None)
    if isinstance(before, _Worker):
        before.stack.close()
    try:
        _HERE["worker"] = _loaded(work, unwanted)
    except Exception as error:  # a process that did not begin would be taken for one that died
        _HERE["worker"] = error


def _loaded(work: Work, unwanted: Callable[[], bool]) -> _Worker:
    bundle = open_bundle(Path(work.bundle))
    if bundle.manifest.seal != work.seal:
        raise BundleError(f"{work.bundle}: another bundle lies there where a worker opens it; copy the same everywhere")
    bundle = replace(bundle, signed_by=work.signed_by)  # whoever began this has seen the signature of that seal
    stack = ExitStack()
    runner = stack.enter_context(make_runner(bundle, work.choice))
    return _Worker(work, bundle, runner, unwanted, stack)


def do_job(job: Job) -> Outcome:
    """Whatever is wrong with a source is its outcome; raises Unwanted, and what is wrong with the bundle."""
    worker = _HERE["worker"]
    if isinstance(worker, Exception):
        raise worker
    try:
        return _done(worker, job)
    except Exception as error:  # whatever is wrong with one source, the others are to be scanned
        failure = failure_of(job.source.name, error)
    if job.piece is not None:
        return Unsound(failure)
    return Seen(to_bytes(in_order([])), Counts(unsplit=job.unsplit), failure)


def _done(worker: _Worker, job: Job) -> Outcome:
    if job.piece is not None:
        return _piece(worker, job.source.name, job.piece)
    unsplit = job.unsplit
    if not unsplit:
        pieces = cut(job.source, worker.work, worker.bundle.manifest)
        if pieces and not isinstance(pieces, str):
            return CutUp(pieces)
        unsplit = pieces if isinstance(pieces, str) else ""
    seen = _whole(worker, job.source.name)
    unsplit = unsplit or uncut(job.source, worker.work, seen.counts.stream_seconds)
    return replace(seen, counts=replace(seen.counts, unsplit=unsplit))


def _whole(worker: _Worker, name: str) -> Seen:
    labels = worker.bundle.manifest.labels
    decisions: List[Decision] = []
    tables: List[Any] = []
    events: List[Event] = []
    failure = ""
    tracker = EventTracker(labels, worker.work.events)
    with _Reading(worker, name) as reading:
        try:
            for decision in reading:
                decisions.append(decision)
                events += tracker.decision(decision)
                if len(decisions) == AT_ONCE:
                    tables.append(decision_rows(decisions))
                    decisions.clear()
        except EdgecvarError as error:  # what came before it is sound
            failure = failure_of(name, error)
        events += tracker.finish()
        counts = reading.counts
        failure = failure or _not_to_its_end(name, reading.summary)
    ended = [event for event in events if event.end_seconds is not None]
    table = in_order([*tables, decision_rows(decisions), event_rows(ended)])
    return Seen(to_bytes(table), replace(counts, events=len(ended)), failure)


def _not_to_its_end(name: str, summary: RunSummary) -> str:
    if summary.broke_off:
        return failure_of(name, EdgecvarError(f"it broke off after {summary.pictures} pictures ({summary.broke_off})"))
    return failure_of(name, EdgecvarError(summary.note)) if summary.note else ""


def _piece(worker: _Worker, name: str, piece: Piece) -> Outcome:
    base = piece.stretch.entry.number
    decisions: List[Decision] = []
    entered: State = {}
    left: State = {}
    with _Reading(worker, name, piece) as reading:
        for decision in reading:
            decisions.append(decision)
            left = reading.state
            entered = left if decision.decode_index + base < piece.begin else entered
        summary = reading.summary
        if summary.skipped or summary.damaged or summary.hidden or summary.breaks or summary.other_layers:
            return Unsound("a part of it is damaged or hidden, or its times or size do not go on")
        if summary.pictures != piece.stretch.packets:
            return Unsound("its packets are not one a picture")
        table = scored_rows(decisions, base, len(worker.bundle.manifest.labels))
        states = (_hash(worker.runner, state) for state in (entered, left))
        return PieceSeen(to_bytes(table), reading.counts, *states)


def _hash(runner: Runner, state: State) -> str:
    """Of a state that is not kept by a device; empty for none."""
    digest = hashlib.sha256()
    for stage, values in sorted(state.items()):
        for name, value in sorted(values.items()):
            digest.update(f"{stage}/{name}".encode())
            digest.update(np.ascontiguousarray(runner.fetch(value)).tobytes())
    return digest.hexdigest() if state else ""


class _Reading:
    """One run of a source, or of a piece of it; enter it, and take its decisions once.

    Raises what opening raises.
    """

    def __init__(self, worker: _Worker, name: str, piece: Optional[Piece] = None) -> None:
        self._worker, self._name, self._piece = worker, name, piece
        self._stack = ExitStack()

    def __enter__(self) -> _Reading:
        work, manifest, piece = self._worker.work, self._worker.bundle.manifest, self._piece
        with ExitStack() as stack:
            opened: Any = stack.enter_context(opened_source(self._name, work.timeout))
            stream = Stream(
                opened,
                work.extraction,
                frames=takes_frames(manifest.stages),
                timeout=work.timeout,
                stretches=None if piece is None else [piece.stretch],
                threads=1,
                on_demand=True,
            )
            stack.enter_context(stream)
            if piece is not None and stream.info != piece.info:
                raise EdgecvarError(f"{self._name}: it is not the stream that it was")
            self._seen = _Spanned(stream)
            options = RunOptions(
                every=work.every,
                top=1,
                release=stream.leave,
                exits=work.exits,
                excerpt=None if piece is None else piece.excerpt,
                in_turn=True,
            )
            self._run = stack.enter_context(recognize(self._seen, manifest, self._worker.runner, options))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Decision]:
        for decision in self._run:
            if self._worker.unwanted():
                raise Unwanted(f"{self._name}: nobody waits for it any more")
            yield decision

    @property
    def state(self) -> State:
        return self._run.state

    @property
    def summary(self) -> RunSummary:
        return self._run.summary

    @property
    def counts(self) -> Counts:
        """Those so far, but for what is made of decisions."""
        summary = self._run.summary
        return Counts(
            pictures=summary.pictures,
            sampled=summary.sampled,
            decisions=summary.decisions,
            skipped=summary.skipped,
            damaged=summary.damaged,
            first_seconds=self._seen.first,
            last_seconds=self._seen.last,
        )


class _Spanned:
    """A stream, and the moments of the first and the last picture that it has given to be shown."""

    def __init__(self, stream: Stream) -> None:
        self.info, self.summary = stream.info, stream.summary
        self.first = self.last = 0.0
        self._stream = stream
        self._begun = False

    def __iter__(self) -> Iterator[CodedPicture]:
        for picture in self._stream:
            if picture.shown:
                at = picture.pts_seconds
                self.first = min(self.first, at) if self._begun else at
                self.last = max(self.last, at) if self._begun else at
                self._begun = True
            yield picture
