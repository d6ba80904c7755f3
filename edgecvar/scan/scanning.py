"""A scan from its sources to its tables: what is finished is kept, the rest is done by a pool."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Deque, Dict, Iterator, List, Optional, Sequence, Tuple

from edgecvar.bundle.manifest import Bundle
from edgecvar.errors import ConfigError
from edgecvar.progress import Progress, silent
from edgecvar.scan.failures import death_of
from edgecvar.scan.joining import Joining
from edgecvar.scan.ledger import Ledger
from edgecvar.scan.output import digest_of, ledger_file, write_tables, written_before
from edgecvar.scan.pool import TRIES, Pool, each_tried
from edgecvar.scan.progress import ScanProgress
from edgecvar.scan.settings import ScanConfig, table_settings, work_of
from edgecvar.scan.sources import given_sources
from edgecvar.scan.table import in_order, shown_name, shown_names, to_bytes
from edgecvar.scan.values import Counts, CutUp, Job, Listed, Outcome, PieceSeen, Seen, Unsound
from edgecvar.scan.worker import do_job, enter_worker
from edgecvar.stream.sources.opening import without_password
from edgecvar.workers import Died

MOST_APART = 2
"""Files whose pieces do not meet, after which no other is cut up: the network does not forget."""
_APART = "its pieces do not come to the same where they meet"


@dataclass
class ScanSummary:
    """What a scan came to; `before` sources were finished by an earlier one. `failures`: source and reason, as text."""

    sources: int = 0
    before: int = 0
    decisions: int = 0
    events: int = 0
    stream_seconds: float = 0.0
    cut_up: int = 0
    unsplit: Dict[str, str] = field(default_factory=dict)
    failures: List[Tuple[str, str]] = field(default_factory=list)

    def count(self, name: str, seen: Seen) -> None:
        """One more source is in the tables."""
        self.decisions += seen.counts.decisions
        self.events += seen.counts.events
        self.stream_seconds += seen.counts.stream_seconds
        self.cut_up += seen.counts.pieces > 1
        if seen.counts.unsplit:
            self.unsplit[name] = shown_name(seen.counts.unsplit)
        if seen.failure:
            self.failures.append((name, seen.failure))


def scan(
    config: ScanConfig, bundle: Bundle, listed: Sequence[Listed], pool: Pool, tell: Progress = silent
) -> Optional[ScanSummary]:
    """Runs a bundle over all sources and writes the tables; None where the same table is there already.

    Killed at any moment and begun again it comes to the same. Raises ConfigError where there is something else, or
    something cannot be written, and BundleError where a worker has not the bundle.
    """
    work = work_of(config, bundle)
    settings = table_settings(work)
    origin = {**settings, "sources": digest_of(listed), "labels": list(bundle.manifest.labels)}
    ledger = Ledger(ledger_file(config.output), {**settings, "sources": given_sources(config.sources)})
    if config.overwrite:
        if ledger.path.exists():
            ledger.discard()
    else:
        differs = written_before(config.output, origin)
        if not ledger.path.exists() and differs is not None:
            if not differs:
                return None
            raise ConfigError(f"--output {config.output}: is there, with {differs}; name another, or --overwrite")
    with ledger:
        summary = ScanSummary(len(listed))
        _Scan(ledger, bundle, config, summary).finish(listed, pool, partial(enter_worker, work), tell)
        write_tables(config.output, _finished(ledger, listed, summary), origin)
        if not summary.failures:
            ledger.remove()
    return summary


def _finished(ledger: Ledger, listed: Sequence[Listed], summary: ScanSummary) -> Iterator[Tuple[str, Seen]]:
    names = shown_names(listed)
    for source in listed:
        seen = ledger.seen(source)
        assert seen is not None  # all were finished
        summary.count(names[source.name], seen)
        yield names[source.name], seen


class _Scan:
    """The jobs of one scan, and what becomes of them: sources are taken up as pieces of others leave room."""

    def __init__(self, ledger: Ledger, bundle: Bundle, config: ScanConfig, summary: ScanSummary) -> None:
        self._ledger, self._config, self._summary = ledger, config, summary
        self._labels = bundle.manifest.labels
        self._urgent: Deque[Job] = deque()
        self._coming: Iterator[Listed] = iter(())
        self._joining: Dict[str, Joining] = {}
        self._apart = 0

    def finish(self, listed: Sequence[Listed], pool: Pool, enter: Any, tell: Progress) -> None:
        """Does all that is not done."""
        todo = [source for source in listed if not self._ledger.state(source)]
        self._summary.before = len(listed) - len(todo)
        if not todo:
            return
        self._coming = iter(todo)
        self._progress = ScanProgress(tell, len(todo), sum(each.size for each in todo))
        with closing(each_tried(pool, do_job, self, enter)) as results:
            for job, outcome in results:
                self._take(job, outcome)

    def __iter__(self) -> _Scan:
        return self

    def __next__(self) -> Job:
        """The next job; there may be more after there was none, when pieces have come of one that is under way."""
        if self._urgent:
            return self._urgent.popleft()
        return Job(next(self._coming))

    def _take(self, job: Job, outcome: Any) -> None:
        if isinstance(outcome, Died):
            self._died(job)
        elif isinstance(outcome, CutUp) and self._apart >= MOST_APART:
            self._urgent.append(Job(job.source, unsplit=f"{_APART}, as those of others before it"))
        elif isinstance(outcome, CutUp):
            self._joining[job.source.name] = Joining(outcome.pieces, self._labels, self._config.events)
            have = [self._ledger.piece(job.source, piece) for piece in outcome.pieces]
            self._urgent += [Job(job.source, piece) for piece, seen in zip(outcome.pieces, have) if seen is None]
            self._join(job.source)
        elif isinstance(outcome, Seen):
            self._finished(job.source, outcome, job.source.size)
        else:
            self._piece(job, outcome)

    def _piece(self, job: Job, outcome: Outcome) -> None:
        assert job.piece is not None
        joining = self._joining.get(job.source.name)
        if joining is None:  # another piece was unsound, and the whole is under way
            return
        if isinstance(outcome, Unsound):
            self._whole(job.source, outcome.reason)
        elif isinstance(outcome, PieceSeen):
            self._ledger.add_piece(job.source, job.piece, outcome)
            self._progress.advance(job.source.size / job.piece.count, done=False)
            self._join(job.source)

    def _join(self, source: Listed) -> None:
        """Put together what is there of a cut up file, as far as it goes on."""
        joining = self._joining[source.name]
        while not joining.complete:
            seen = self._ledger.piece(source, joining.pieces[joining.next])
            if seen is None:
                return
            if not joining.add(seen):
                self._apart += 1
                self._whole(source, _APART)
                return
        del self._joining[source.name]
        self._finished(source, joining.seen(), 0)

    def _whole(self, source: Listed, why: str) -> None:
        """A file that was cut up must be run from its beginning."""
        del self._joining[source.name]
        self._ledger.drop_pieces(source)
        self._urgent = deque(each for each in self._urgent if each.source != source)
        self._urgent.append(Job(source, unsplit=why))

    def _died(self, job: Job) -> None:
        if job.piece is not None:
            self._piece(job, Unsound(f"the process that read a piece of it died {TRIES} times"))
        else:
            name = without_password(job.source.name)
            why = death_of(name)
            self._finished(job.source, Seen(to_bytes(in_order([])), Counts(), why), job.source.size)

    def _finished(self, source: Listed, seen: Seen, size: float) -> None:
        self._ledger.add(source, seen)
        self._progress.advance(size, done=True, failed=bool(seen.failure))
