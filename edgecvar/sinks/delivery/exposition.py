"""Counts in the text form that Prometheus reads.

https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Iterator, List, Mapping, Sequence, Tuple

from edgecvar.terminal import printable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = Tuple[Mapping[str, str], float]
"""The labels of a series, and its value."""


def family(name: str, kind: str, says: str, samples: Sequence[Sample]) -> Iterator[str]:
    """The lines of one metric; none where there is no sample."""
    if samples:
        yield from _header(name, kind, says)
    for labels, value in samples:
        yield _line(name, labels, value)


class Histogram:
    """Of seconds. `bounds`: upper ends of the buckets, ascending; one more is without end."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = list(bounds)
        self._buckets = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._buckets[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def copy(self) -> Histogram:
        other = Histogram(self._bounds)
        other._buckets, other._sum = list(self._buckets), self._sum
        return other

    @property
    def samples(self) -> List[Tuple[str, float]]:
        """The bucket's `le`, and how many values are at most as large, cumulative."""
        total, samples = 0, []
        for bound, number in zip([*map(repr, self._bounds), "+Inf"], self._buckets):
            total += number
            samples.append((bound, float(total)))
        return samples

    @property
    def sum(self) -> float:
        return self._sum


def histogram(name: str, says: str, of: Mapping[str, Histogram], label: str) -> Iterator[str]:
    """The lines of a histogram for each value of one label."""
    if of:
        yield from _header(name, "histogram", says)
    for value, each in of.items():
        samples = each.samples
        for bound, number in samples:
            yield _line(f"{name}_bucket", {label: value, "le": bound}, number)
        yield _line(f"{name}_sum", {label: value}, each.sum)
        yield _line(f"{name}_count", {label: value}, samples[-1][1])


def _header(name: str, kind: str, says: str) -> Iterator[str]:
    yield f"# HELP {name} {says}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{inside}}} {value:.17g}" if inside else f"{name} {value:.17g}"


def escaped(text: str) -> str:
    """A label's value between quotes; what is no printable text is written as Python does."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')
