"""Decisions as a table: plain lines for files and pipes, a live one on a terminal."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, List, Optional, Sequence, TextIO

from edgecvar.console import Console
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.run.exit_counts import ExitCounts
from edgecvar.sinks.sink import Stateless
from edgecvar.sinks.stretches import Stretch, Stretches
from edgecvar.stream.types import LiveCounts
from edgecvar.terminal import printable

LIVE_ROWS = 12
"""Newest rows that the live table shows; it must not grow with the stream."""
LIVE_EVENTS = 5
"""Newest events below it."""


def summary_lines(summary: RunSummary) -> List[str]:
    """A summary for people."""
    parts = [
        f"{summary.pictures} pictures ({summary.stream_seconds:.1f} s of video)",
        f"{summary.sampled} sampled",
        f"{summary.decisions} decisions",
        *([f"{summary.stream_fps:.0f} pictures/s"] if summary.live is None else []),  # a live one sets its own pace
    ]
    broken = sum(summary.breaks.values())
    for count, what, reasons in (
        (summary.hidden, "hidden by an edit list or the stream", {}),
        (summary.other_layers, "units of other layers left out", {}),
        (broken, "break" if broken == 1 else "breaks", summary.breaks),
        (summary.damaged, "damaged", summary.damage),
        (summary.skipped, "skipped", summary.reasons),
    ):
        if count:
            why = ", ".join(f"{reason}: {number}" for reason, number in sorted(reasons.items()))
            parts.insert(3, f"{count} {what}" + (f" ({why})" if why else ""))
    decoder = f"I-pictures by {summary.decoder}" if summary.decoder else ""
    fallbacks = ", ".join(f"{why}: {number}" for why, number in sorted(summary.fallbacks.items()))
    fallen = f"I-pictures in software instead: {fallbacks}" if fallbacks else ""
    live = "" if summary.live is None else live_line(summary.live)
    exits = "" if summary.exits is None else exit_line(summary.exits)
    ended = f"ended early: {summary.ended}" if summary.ended else ""
    return [line for line in (", ".join(parts), live, decoder, fallen, exits, ended, summary.note) if line]


def exit_line(exits: ExitCounts) -> str:
    """Where pictures left the network, for people."""
    shares = (f"{count / max(1, exits.pictures):.0%} at {stage}" for stage, count in exits.left.items())
    return f"early exits: {', '.join(shares)}"


def live_line(live: LiveCounts) -> str:
    """What a live source has been through, for people; empty where that is nothing."""
    parts = []
    if live.failures:
        why = ", ".join(f"{reason}: {number}" for reason, number in sorted(live.failures.items()))
        parts.append(f"away for {live.away_seconds:.1f} s, back {live.reconnections} times ({why})")
    if live.thinned:
        parts.append(f"{live.thinned} pictures not sampled, as decisions came late")
    if live.dropped:
        parts.append(f"{live.dropped} packets dropped up to the next I-picture, as they came late")
    return "; ".join(parts)


def event_line(event: Event) -> str:
    """An event for people."""
    end = "goes on" if event.end_seconds is None else f"to {event.end_seconds:.2f} s"
    peak = f"at most {event.peak:.1%} at {event.peak_seconds:.2f} s"
    return f"event {event.number}: {event.label}, {event.start_seconds:.2f} s {end}, {peak}"


class PlainTable(Stateless):
    """Aligned lines, one a stretch of equal labels, written when the stretch ends: for files and pipes.

    An event has a line when it has ended.
    """

    def __init__(self, out: TextIO, labels: Sequence[str], untrained: bool, title: str = "") -> None:
        self._out = out
        self._title = printable(title)
        self._width = max(len("label"), *(len(printable(label)) for label in labels))
        self._untrained = untrained
        self._stretches = Stretches()
        self._header = False

    def __enter__(self) -> PlainTable:
        if self._title:
            self._out.write(f"{self._title}\n")
        return self

    def decision(self, decision: Decision) -> None:
        self._write(self._stretches.push(decision))

    def event(self, event: Event) -> None:
        if event.end_seconds is not None:
            self._out.write(f"{'':>20}-- {printable(event_line(event))} --\n")
            self._out.flush()

    def finish(self, summary: RunSummary) -> None:
        self._write(self._stretches.open)
        for line in [*summary_lines(summary), *["untrained weights: the labels mean nothing"] * self._untrained]:
            self._out.write(f"{printable(line)}\n")
        self._out.flush()

    def _write(self, stretch: Optional[Stretch]) -> None:
        if stretch is None:
            return
        if not self._header:
            self._out.write(f"{'from':>9} {'to':>9}  {'label':<{self._width}}  probability  decisions\n")
            self._header = True
        if stretch.opens:
            self._out.write(f"{'':>20}-- {stretch.opens} --\n")
        self._out.write(
            f"{stretch.start_seconds:>8.2f}s {stretch.end_seconds:>8.2f}s  {printable(stretch.label):<{self._width}}  "
            f"{stretch.probability:>11.1%}  {stretch.decisions:>9}\n"
        )
        self._out.flush()


class LiveTable:
    """A table on a terminal that follows the stream: its newest stretches of equal labels, its newest events."""

    def __init__(self, title: str) -> None:
        from rich.live import Live

        self._title = title
        self._stretches = Stretches()
        self._rows: Deque[Stretch] = deque(maxlen=LIVE_ROWS)
        self._events: Dict[int, Event] = {}
        self._latency_ms = 0.0
        self._live: Live = Live(get_renderable=self._table, console=Console(), refresh_per_second=8)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def decision(self, decision: Decision) -> None:
        self._stretches.push(decision)
        current = self._stretches.open
        if current is not None and (not self._rows or self._rows[-1] is not current):
            self._rows.append(current)
        self._latency_ms = decision.latency_ms

    def event(self, event: Event) -> None:
        newest = {**self._events, event.number: event}
        self._events = {number: newest[number] for number in sorted(newest)[-LIVE_EVENTS:]}

    def finish(self, summary: RunSummary) -> None:
        self._live.stop()
        for event in self._events.values():
            self._live.console.print(event_line(event))
        for line in summary_lines(summary):
            self._live.console.print(line)

    def _table(self) -> Any:
        from rich.console import Group
        from rich.table import Table

        caption = f"latency {self._latency_ms:.0f} ms" if self._rows else "waiting for the first decision"
        table = Table(title=self._title, caption=caption, title_justify="left")
        for name, justify in (("from", "right"), ("to", "right"), ("label", "left"), ("probability", "left")):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        for row in list(self._rows):
            bar = "█" * round(row.probability * 20)
            style = "bold" if row is self._rows[-1] else "dim"
            broke = f"  (after a break: {row.opens})" if row.opens else ""
            times = f"{row.start_seconds:.2f} s", f"{row.end_seconds:.2f} s"
            table.add_row(*times, row.label + broke, f"{row.probability:6.1%} {bar}", style=style)
        return Group(table, *map(event_line, self._events.values()))
