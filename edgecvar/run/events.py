"""Decisions to events: labels that last, from where each begins to where it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.run.decisions import Decision, softmax
from edgecvar.run.event_settings import EventSettings, background_of


@dataclass(frozen=True)
class Event:
    """One label over a stretch of a stream, in the stream's own seconds.

    It is told twice: when it begins, with `end_seconds` None, and when it has ended, under the same `number`, which
    counts the events of one stream from 0. `peak` is the highest smoothed probability so far, at `peak_seconds`.
    """

    number: int
    label: str
    start_seconds: float
    end_seconds: Optional[float]
    peak: float
    peak_seconds: float

    def __repr__(self) -> str:
        end = "goes on" if self.end_seconds is None else f"{self.end_seconds:.2f} s"
        return f"<Event {self.number}: {self.label}, {self.start_seconds:.2f} s to {end}, {self.peak:.0%}>"


@dataclass
class _Rise:
    """A label whose smoothed probability is at `off`, and since when it is at `on`; `event` once that is told."""

    start: float
    peak: float
    peak_seconds: float
    above: Optional[float] = None
    event: Optional[Event] = None


class EventTracker:
    """Follows one stream's decisions, and tells events as they begin and as they end.

    It smooths what each picture's own scores say: their consensus, a mean of some seconds, would blur where they begin.
    An event is told to have begun when it has held, and lasted, for as long as its label's settings ask; its start is
    earlier, where its smoothed probability rose. A break of the stream ends what is open at the decision before it, and
    forgets all that was. `labels` are those of the probabilities; raises ConfigError where `settings` name another one.
    """

    def __init__(self, labels: Sequence[str], settings: EventSettings) -> None:
        settings.check(labels)
        self.background = background_of(settings, labels)
        self._labels = labels
        self._rules = [settings.of(label) for label in labels]
        silent = [label in self.background for label in labels]
        self._off = np.where(silent, np.inf, [rules.off for rules in self._rules])
        self._smoothing = settings.smoothing
        self._told = 0
        self._forget()

    def decision(self, decision: Decision) -> List[Event]:
        """What is known by one more decision: events that have ended, then those that have begun."""
        return self.push(decision.pts_seconds, softmax(decision.scores), bool(decision.opens))

    def push(self, seconds: float, probabilities: NDArray[np.float64], opens: bool = False) -> List[Event]:
        """As `decision`, of `probabilities` (classes,) at a time later than those before; it `opens` after a break."""
        ended = self.finish() if opens else []
        smoothed = self._smooth(seconds, probabilities)
        begun: List[Event] = []
        for number in sorted({*self._rises, *map(int, np.flatnonzero(smoothed >= self._off))}):
            event = self._follow(number, seconds, float(smoothed[number]))
            if event is not None:
                (begun if event.end_seconds is None else ended).append(event)
        return ended + begun

    def finish(self) -> List[Event]:
        """The stream ends, or breaks: what is open ends with it."""
        ended = [self._ended(rise, self._last) for _, rise in sorted(self._rises.items())]
        self._forget()
        return [event for event in ended if event is not None]

    def _forget(self) -> None:
        self._rises: Dict[int, _Rise] = {}
        self._rests_until: Dict[int, float] = {}
        self._smoothed: Optional[NDArray[np.float64]] = None
        self._last = 0.0

    def _smooth(self, seconds: float, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Exponential smoothing over time: what came `smoothing` seconds ago counts 1/e of what comes now."""
        before, passed = self._smoothed, seconds - self._last
        if before is None or self._smoothing == 0:
            smoothed = probabilities
        else:
            smoothed = probabilities + math.exp(-max(0.0, passed) / self._smoothing) * (before - probabilities)
        self._smoothed, self._last = smoothed, seconds
        return smoothed

    def _follow(self, number: int, seconds: float, probability: float) -> Optional[Event]:
        """One label at one decision; its event where it has begun or ended now."""
        rules, rise = self._rules[number], self._rises.get(number)
        if rise is None:
            if seconds < self._rests_until.get(number, -math.inf):
                return None
            rise = self._rises[number] = _Rise(seconds, probability, seconds)
        if probability < rules.off:
            del self._rises[number]
            if rise.event is not None:
                self._rests_until[number] = seconds + rules.cooldown
            return self._ended(rise, seconds)
        if probability > rise.peak:
            rise.peak, rise.peak_seconds = probability, seconds
        if rise.event is not None:
            return None
        if probability < rules.on:
            rise.above = None
            return None
        rise.above = seconds if rise.above is None else rise.above
        if seconds - rise.above < rules.hold or seconds - rise.start < rules.shortest:
            return None
        rise.event = Event(self._told, self._labels[number], rise.start, None, rise.peak, rise.peak_seconds)
        self._told += 1
        return rise.event

    def _ended(self, rise: _Rise, seconds: float) -> Optional[Event]:
        if rise.event is None:
            return None
        return replace(rise.event, end_seconds=seconds, peak=rise.peak, peak_seconds=rise.peak_seconds)
