"""Thresholds of events from labelled clips, so high that false alarms are as rare as asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.labelled import ClipScore
from edgecvar.errors import DatasetError
from edgecvar.run.event_settings import EventSettings, LabelSettings
from edgecvar.run.events import EventTracker

TRIED = tuple(round(0.02 * step, 2) for step in range(3, 50))
"""Values of `on` that are tried, 0.06 to 0.98."""
SURE = 0.95
"""How sure a bound on the rate of false alarms is."""


@dataclass(frozen=True)
class LabelThreshold:
    """What was chosen for one label, and what its clips and the others then gave.

    `found` of `clips` clips of the label had an event of it. In `hours` of other clips there were `false_alarms`, of
    which there may be `most_per_hour` as far as so few hours can tell, with a confidence of `SURE`.
    """

    label: str
    on: float
    off: float
    clips: int
    found: int
    false_alarms: int
    hours: float

    @property
    def recall(self) -> Optional[float]:
        return self.found / self.clips if self.clips else None

    @property
    def per_hour(self) -> float:
        return self.false_alarms / self.hours if self.hours else math.inf

    @property
    def most_per_hour(self) -> float:
        return most_expected(self.false_alarms) / self.hours if self.hours else math.inf


@dataclass(frozen=True)
class Thresholds:
    """All labels that may give events, and the rate of false alarms of each that was asked for."""

    asked_per_hour: float
    labels: Tuple[LabelThreshold, ...]
    settings: EventSettings

    @property
    def hours_needed(self) -> float:
        """Hours of other clips, without a false alarm in them, that show a label's rate to be as low as asked."""
        return most_expected(0) / self.asked_per_hour

    @property
    def missed(self) -> Tuple[LabelThreshold, ...]:
        """Labels that give more false alarms than asked whatever the threshold."""
        return tuple(each for each in self.labels if each.per_hour > self.asked_per_hour)

    @property
    def unsupported(self) -> Tuple[LabelThreshold, ...]:
        """Labels whose clips are too few to show that false alarms are as rare as asked."""
        return tuple(each for each in self.labels if each.most_per_hour > self.asked_per_hour)


def find_thresholds(
    labels: Sequence[str], results: Sequence[ClipScore], settings: EventSettings, per_hour: float
) -> Thresholds:
    """For each label the `on`, and `off` in proportion, with at most so many false alarms an hour and most found.

    A false alarm is an event of a label in a clip of another one. Of all thresholds that give as few and find as many
    clips the middle one is taken, as far from a false alarm as from a miss. Raises DatasetError without a clip.
    """
    traced = [each for each in results if each.trace is not None and len(each.trace.seconds)]
    if not traced:
        raise DatasetError("no clip was decided, so no threshold can be found")
    ratio, index = settings.off / settings.on, {label: number for number, label in enumerate(labels)}
    events = _events(labels, traced, settings, ratio)  # (tried, clips, labels)
    truth = np.array([index[each.clip.label] for each in traced])
    seconds = np.array([each.trace.duration for each in traced if each.trace is not None])
    background = EventTracker(labels, settings).background
    chosen: List[LabelThreshold] = []
    for number, label in enumerate(labels):
        if label in background:
            continue
        own, hours = truth == number, float(seconds[truth != number].sum()) / 3600
        false, found = events[:, ~own, number].sum(1), (events[:, own, number] > 0).sum(1)
        place = _choose(false, found, per_hour * hours)
        counts = int(own.sum()), int(found[place]), int(false[place])
        chosen.append(LabelThreshold(label, TRIED[place], _off(TRIED[place], ratio), *counts, hours))
    per_label: Dict[str, LabelSettings] = {each.label: LabelSettings(on=each.on, off=each.off) for each in chosen}
    return Thresholds(per_hour, tuple(chosen), settings.model_copy(update={"labels": per_label}))


def _events(
    labels: Sequence[str], traced: Sequence[ClipScore], settings: EventSettings, ratio: float
) -> NDArray[np.int64]:
    """Events (tried, clips, labels) that each clip gives of each label, with each value of `on` for all labels."""
    counts = np.zeros((len(TRIED), len(traced), len(labels)), np.int64)
    index = {label: number for number, label in enumerate(labels)}
    for place, on in enumerate(TRIED):
        tracker = EventTracker(labels, settings.model_copy(update={"on": on, "off": _off(on, ratio), "labels": {}}))
        for clip, each in enumerate(traced):
            assert each.trace is not None
            told = [tracker.push(*step) for step in zip(each.trace.seconds.tolist(), each.trace.probabilities)]
            for event in [*(one for some in told for one in some), *tracker.finish()]:
                if event.end_seconds is None:
                    counts[place, clip, index[event.label]] += 1
    return counts


def _off(on: float, ratio: float) -> float:
    return round(max(on * ratio, 0.01), 3)


def _choose(false: NDArray[np.int64], found: NDArray[np.int64], allowed: float) -> int:
    """Which threshold to take: from some value on, all give few enough; the last where none does."""
    too_many = np.flatnonzero(false > allowed)
    first = int(too_many[-1]) + 1 if len(too_many) else 0
    if first == len(false):
        return first - 1
    best = np.flatnonzero(found[first:] == found[first:].max()) + first
    return int(best[(len(best) - 1) // 2])


def most_expected(count: int) -> float:
    """The largest mean of a Poisson distribution under which so few are seen in 1 of 20 cases (Garwood 1936)."""
    low, high = 0.0, 10.0 + 3.0 * count
    for _ in range(60):
        middle = (low + high) / 2
        term = total = math.exp(-middle)
        for number in range(1, count + 1):
            term *= middle / number
            total += term
        low, high = (middle, high) if total > 1 - SURE else (low, middle)
    return high
