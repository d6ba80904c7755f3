"""Chains of one kernel after another: what a trial is, which sizes it is tried at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, Sequence, Tuple

from edgecvar.predict.cpu.sketch import Sketch
from edgecvar.predict.work import Layer

Unit = Callable[[Sketch, str, str], str]
"""One link: of the chain's input and of what the link before gave, what it gives."""
MOST_WEIGHTS = 2_500_000
SMALL = 2e6
"""Work from which on four links are told from one with ease."""


@dataclass(frozen=True)
class Link:
    """`start`: the shape of what goes into the first link; `optimised`: ONNX Runtime may rewrite the chain."""

    unit: Unit
    start: Tuple[int, ...]
    optimised: bool = False


@dataclass(frozen=True)
class Trial:
    """A link of the chain takes what `layer` takes on `routine`, `times` times, and what the links in `less` take.

    `given`: the shape of the input that every link may read. `streams`: it also matters whether weights come from
    memory or from a cache.
    """

    routine: str
    layer: Layer
    given: Tuple[int, ...]
    link: Link
    less: Tuple[Link, ...] = ()
    times: float = 1.0
    streams: bool = False

    @property
    def links(self) -> int:
        work = self.layer.multiply_adds + 4 * self.layer.moved
        return 5 if work > SMALL else 17


def spread(count: int, *ranges: Tuple[float, float]) -> Iterator[Tuple[int, ...]]:
    """Points that fill the ranges evenly on a logarithmic scale (Halton's sequence), rounded."""
    for index in range(1, count + 1):
        yield tuple(
            round(low * (high / low) ** _radical_inverse(index, base)) for (low, high), base in zip(ranges, PRIMES)
        )


PRIMES = (2, 3, 5, 7)


def _radical_inverse(index: int, base: int) -> float:
    value, share = 0.0, 1.0 / base
    while index:
        index, digit = divmod(index, base)
        value, share = value + digit * share, share / base
    return value


def counted(count: int, density: float) -> int:
    return max(2, round(count * density))


def plus(unit: Unit) -> Unit:
    """The link's result added to what the link before gave: so each link may change the shape."""
    return lambda sketch, given, before: sketch.node("Add", [unit(sketch, given, before), before])


def adding(shape: Tuple[int, ...]) -> Link:
    """The addition alone."""
    return Link(lambda sketch, given, before: sketch.node("Add", [before, shared(sketch, shape)]), shape)


def shared(sketch: Sketch, shape: Sequence[int], dtype: str = "float32") -> str:
    """An input of this shape: the one that is there, if any."""
    for name, value in sketch.feeds.items():
        if value.shape == tuple(shape) and str(value.dtype) == dtype and name != "x0":
            return name
    return sketch.given(shape, dtype)
