"""Counts for Prometheus, which comes and asks."""

from __future__ import annotations

from collections import Counter
from threading import Event as Flag
from threading import Lock, Thread
from typing import Callable, Dict, List, Mapping, Optional

from edgecvar.errors import ConfigError, reason
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.sinks.delivery.address import Address
from edgecvar.sinks.delivery.delivery import SourceRun
from edgecvar.sinks.delivery.exposition import Histogram, Sample, family, histogram
from edgecvar.sinks.delivery.scrape import ScrapeServer
from edgecvar.sinks.delivery.waiting.counts import DeliveryCounts, Tally
from edgecvar.sinks.sink import Sink

PORT = 9109
LOOPBACK = "127.0.0.1"
BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper ends in seconds, of the latency from a picture's arrival to its decision."""
MOST_SOURCES, OTHERS = 256, "(others)"
"""Sources that are counted apart; those that come later are counted together."""
Others = Callable[[], Mapping[str, DeliveryCounts]]


class Metrics:
    """A Delivery that is asked: a server of `/metrics` on the address, which is of this machine alone unless it says
    otherwise. `others`: what became of the records of the other deliveries.
    """

    events_only = False

    def __init__(self, address: Address, others: Others = dict) -> None:
        self.name = address.name
        self._address, self._others = address, others
        self._sources: Dict[str, _Counts] = {}
        self._lock = Lock()
        self._tally = Tally()
        self._over = Flag()
        self._server: Optional[ScrapeServer] = None
        self._thread = Thread(target=self._serve, name="edgecvar-metrics", daemon=True)

    def __enter__(self) -> Metrics:
        address = (self._address.host, self._address.port)
        try:
            self._server = ScrapeServer(address, self.text, self._tally.delivered)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"{self.name}: cannot listen there ({reason(error)}); name another port") from error
        self._thread.start()
        return self

    def sink(self, run: SourceRun) -> Sink:
        with self._lock:
            name = run.name if run.name in self._sources or len(self._sources) < MOST_SOURCES else OTHERS
            counts = self._sources.setdefault(name, _Counts())
        return _Counting(run, counts)

    def leave(self) -> None:
        self._over.set()

    def wait(self, seconds: float) -> None:
        if self._server is not None:
            self._thread.join(max(seconds, 0.3))
            self._server.server_close()

    @property
    def counts(self) -> DeliveryCounts:
        """`delivered`: answers."""
        return self._tally.counts

    def text(self) -> str:
        """What Prometheus is told."""
        with self._lock:
            sources = dict(self._sources)
        lines = [*_of_sources(sources), *_of_deliveries(self._others())]
        return "\n".join(lines) + "\n"

    def _serve(self) -> None:
        """The server's thread."""
        assert self._server is not None
        while not self._over.is_set():
            try:
                self._server.handle_request()
            except (OSError, ValueError):  # closed meanwhile, or no more files may be open
                self._over.wait(0.1)


class _Counts:
    """Of one source, over all its runs."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.decisions = 0
        self.events: Counter[str] = Counter()
        self.latency = Histogram(BUCKETS)
        self.runs: List[SourceRun] = []
        self.ended: Counter[str] = Counter()

    @property
    def totals(self) -> Counter[str]:
        """Pictures, those skipped, breaks: of runs that have ended, and so far of those that have not."""
        totals = Counter(self.ended)
        for run in self.runs:
            if run.live is not None:
                totals.update(_totals(run.live()))
        return totals


def _totals(summary: RunSummary) -> Dict[str, int]:
    breaks = sum(summary.breaks.values())
    return {"pictures": summary.pictures, "skipped": summary.skipped, "sampled": summary.sampled, "breaks": breaks}


class _Counting:
    """One run of a source."""

    def __init__(self, run: SourceRun, counts: _Counts) -> None:
        self._run, self._counts = run, counts

    def __enter__(self) -> _Counting:
        with self._counts.lock:
            self._counts.runs.append(self._run)
        return self

    def __exit__(self, *exc: object) -> None:
        self._end()

    def decision(self, decision: Decision) -> None:
        with self._counts.lock:
            self._counts.decisions += 1
            self._counts.latency.add(decision.latency_ms / 1000)

    def event(self, event: Event) -> None:
        if event.end_seconds is None:
            with self._counts.lock:
                self._counts.events[event.label] += 1

    def finish(self, summary: RunSummary) -> None:
        with self._counts.lock:
            self._end_with(summary)

    def _end(self) -> None:
        with self._counts.lock:
            if self._run in self._counts.runs:
                self._end_with(None if self._run.live is None else self._run.live())

    def _end_with(self, summary: Optional[RunSummary]) -> None:
        if self._run in self._counts.runs:
            self._counts.runs.remove(self._run)
            self._counts.ended.update({} if summary is None else _totals(summary))


def _of_sources(sources: Mapping[str, _Counts]) -> List[str]:
    decisions: List[Sample] = []
    events: List[Sample] = []
    up: List[Sample] = []
    totals: Dict[str, List[Sample]] = {}
    latency: Dict[str, Histogram] = {}
    for source, counts in sources.items():
        with counts.lock:
            decisions.append(({"source": source}, counts.decisions))
            up.append(({"source": source}, len(counts.runs)))
            events += [({"source": source, "label": label}, number) for label, number in counts.events.items()]
            for what, number in counts.totals.items():
                totals.setdefault(what, []).append(({"source": source}, number))
            latency[source] = counts.latency.copy()
    said = {
        "pictures": ("edgecvar_pictures_total", "Pictures read."),
        "sampled": ("edgecvar_pictures_sampled_total", "Pictures that were looked at."),
        "skipped": ("edgecvar_pictures_skipped_total", "Packets and pictures that gave nothing."),
        "breaks": ("edgecvar_breaks_total", "Places where a stream did not go on as it was."),
    }
    return [
        *family("edgecvar_source_up", "gauge", "Runs of a source under way.", up),
        *family("edgecvar_decisions_total", "counter", "Decisions.", decisions),
        *family("edgecvar_events_total", "counter", "Events that have begun, by label.", events),
        *(line for what, (name, says) in said.items() for line in family(name, "counter", says, totals.get(what, ()))),
        *histogram("edgecvar_decision_latency_seconds", "From a picture's arrival to its decision.", latency, "source"),
    ]


def _of_deliveries(counts: Mapping[str, DeliveryCounts]) -> List[str]:
    said = {
        "delivered": ("edgecvar_delivered_total", "counter", "Records delivered."),
        "failed": ("edgecvar_delivery_failures_total", "counter", "Attempts to deliver that failed."),
        "refused": ("edgecvar_delivery_refused_total", "counter", "Records that a receiver does not want."),
        "dropped": ("edgecvar_delivery_dropped_total", "counter", "Records dropped for want of room."),
        "waiting": ("edgecvar_delivery_waiting", "gauge", "Records that wait to be delivered."),
    }
    lines: List[str] = []
    for field, (name, kind, says) in said.items():
        lines += family(name, kind, says, [({"sink": sink}, getattr(each, field)) for sink, each in counts.items()])
    return lines
