"""What is measured of this machine: chains of one kernel after another, over a spread of sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, List, Mapping, Sequence, Tuple

from edgecvar.predict.cpu.kernels import BLOCK, Convolution, carrying
from edgecvar.predict.cpu.sketch import Sketch, Value
from edgecvar.predict.work import Layer

Unit = Callable[[Sketch, str, str], str]
"""One link: of the chain's input and of what the link before gave, what it gives."""
MOST_MULTIPLY_ADDS, MOST_WEIGHTS = 120e6, 2.5e6
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


def plus(unit: Unit) -> Unit:
    """The link's result added to what the link before gave: so each link may change the shape."""
    return lambda sketch, given, before: sketch.node("Add", [unit(sketch, given, before), before])


def adding(shape: Tuple[int, ...]) -> Link:
    """The addition alone."""
    return Link(lambda sketch, given, before: sketch.node("Add", [before, _shared(sketch, shape)]), shape)


def _shared(sketch: Sketch, shape: Sequence[int], dtype: str = "float32") -> str:
    """An input of this shape: the one that is there, if any."""
    for name, value in sketch.feeds.items():
        if value.shape == tuple(shape) and str(value.dtype) == dtype and name != "x0":
            return name
    return sketch.given(shape, dtype)


def trials(density: float = 1.0) -> List[Trial]:
    """All of them; `density`: how many, against a whole run."""
    from edgecvar.predict.cpu.trials_carrying import carrying_trials

    found: List[Trial] = []
    for kind, count in (("dense", 36), ("pointwise", 44), ("depthwise", 28), ("direct", 12), ("squeeze", 6)):
        found += _convolutions(f"blocked {kind}", count, density)
    for kind, count in (("dense", 36), ("pointwise", 44), ("depthwise", 28), ("volume", 24)):
        found += _convolutions(f"plain {kind}", count, density)
    found += _convolutions("quantised", 14, density)
    for rows, inner, outputs in spread(_count(24, density), (1, 800), (16, 2048), (8, 2048)):
        if rows * inner * outputs <= MOST_MULTIPLY_ADDS:
            found.append(_product(rows, inner, outputs))
    return found + carrying_trials(density)


def _count(count: int, density: float) -> int:
    return max(2, round(count * density))


def _convolutions(routine: str, count: int, density: float) -> List[Trial]:
    kind = routine.split()[-1]
    found: List[Trial] = []
    wanted = _count(count, density)
    side = {"direct": (7, 112), "depthwise": (3, 112)}.get(kind, (4, 80))
    ranges: Tuple[Tuple[float, float], ...] = ((16, 1024), (16, 1024), side, (0.5, 7.99))
    if routine == "plain dense":
        ranges = ((2, 1024), (2, 1024), (4, 224), (0.5, 7.99))
    elif kind == "depthwise":
        ranges = ((16, 2048), (16, 1024), side, (0.5, 7.99))
    elif kind == "pointwise":
        ranges = ((8, 2048), (16, 2048), (1, 80), (1, 8))
    elif kind == "direct":
        ranges = ((2, 6), (16, 96), side, (0.5, 7.99))
    elif kind == "squeeze":
        ranges = ((4, 15), (32, 512), (1, 1.4), (1, 8))
    elif kind == "volume":
        ranges = ((3, 512), (16, 512), (4, 56), (1, 8))
    elif kind == "quantised":
        ranges = ((16, 512), (16, 512), (4, 56), (1, 8))
    for inputs, outputs, side_, turn in spread(64 * wanted, *ranges):
        each = _sized(kind, inputs, outputs, side_, turn)
        blocked = routine.startswith("blocked")
        each = each.blocked() if blocked else each
        if each.multiply_adds > MOST_MULTIPLY_ADDS or each.weights > MOST_WEIGHTS:
            continue
        if blocked and kind not in ("direct", "squeeze") and each.groups == 1 and each.inputs < BLOCK:
            continue
        if max(each.inputs * each.groups * each.taken, each.outputs * each.places) > 3e6:
            continue
        found.append(_convolution(routine, each, depth=8 if kind == "volume" else 0))
        if len(found) == wanted:
            break
    return found


def _sized(kind: str, inputs: int, outputs: int, side: int, turn: int) -> Convolution:
    """`turn`: one of a few kernels and strides in turn."""
    if kind == "depthwise":
        window, stride = ((9, 1), (25, 1), (9, 2), (25, 2), (9, 1))[turn % 5]
        return Convolution(1, inputs, window, side * side, stride, inputs, side * side * stride**2)
    if kind == "volume":
        return Convolution(inputs, outputs, 27, 8 * side * side, 1, 1, 8 * side * side)
    if kind in ("pointwise", "squeeze"):
        stride = 2 if turn in (3, 6) and side > 3 else 1
        return Convolution(inputs, outputs, 1, side * side, stride, 1, side * side * stride**2)
    if kind == "direct":
        window, stride = ((9, 2), (49, 2), (9, 1), (49, 2))[turn % 4]
        return Convolution(inputs, outputs, window, side * side, stride, 1, side * side * stride**2)
    if kind == "quantised":
        return Convolution(inputs, inputs, 9 if turn % 2 else 1, side * side, 1, 1, side * side)
    stride = 2 if turn % 4 == 3 else 1
    return Convolution(inputs, outputs, 9, side * side, stride, 1, side * side * stride**2)


def _convolution(routine: str, each: Convolution, depth: int) -> Trial:
    kernel = round(each.window ** (1 / 3)) if depth else round(each.window**0.5)
    taken = round((each.taken // (depth or 1)) ** 0.5)
    side = round((each.places // (depth or 1)) ** 0.5)
    sizes = (depth, taken, taken) if depth else (taken, taken)
    dims = 3 if depth else 2
    given = (1, each.inputs * each.groups, *sizes)
    written = (1, each.outputs, *((depth, side, side) if depth else (side, side)))
    shape = (each.outputs, each.inputs, *(kernel,) * dims)
    attributes: Mapping[str, Value] = {
        "kernel_shape": (kernel,) * dims,
        "pads": (kernel // 2,) * (2 * dims),
        "strides": (each.stride,) * dims,
        "group": each.groups,
    }
    if routine == "quantised":
        return Trial(routine, each.layer("int8", 1), given, Link(_quantised(shape, attributes), given, True))
    if routine.startswith("blocked"):
        return _blocked(routine, each, given, shape, attributes)

    def unit(sketch: Sketch, given: str, before: str) -> str:
        return sketch.node("Conv", [given, sketch.given(shape)], attributes)

    return Trial(routine, each.layer(), given, Link(plus(unit), written), (adding(written),), streams=True)


def _blocked(
    routine: str, each: Convolution, given: Tuple[int, ...], shape: Tuple[int, ...], attributes: Mapping[str, Value]
) -> Trial:
    """Of the result one place goes on: what is added then costs nothing that matters."""
    last = (1, each.outputs, 1, 1)

    def picked(sketch: Sketch, result: str, side: int) -> str:
        return sketch.node("MaxPool", [result], {"kernel_shape": (1, 1), "strides": (side, side)})

    def unit(sketch: Sketch, given: str, before: str) -> str:
        result = sketch.node("Conv", [given, sketch.weights(shape), sketch.weights((each.outputs,))], attributes)
        return sketch.node("Add", [before, picked(sketch, result, round(each.places**0.5))])

    less = Link(lambda sketch, given, before: sketch.node("Add", [before, picked(sketch, before, 1)]), last, True)
    return Trial(routine, each.layer(), given, Link(unit, last, True), (less,), streams=True)


def _quantised(shape: Tuple[int, ...], attributes: Mapping[str, Value]) -> Unit:
    def unit(sketch: Sketch, given: str, before: str) -> str:
        scale, zero = sketch.constant(0.02), sketch.constant(0, "uint8")
        weights = sketch.weights(shape, "int8")
        scales = sketch.constant([0.01] * shape[0])
        zeros = sketch.constant([0] * shape[0], "int8")
        inputs = [before, scale, zero, weights, scales, zeros, scale, zero]
        return sketch.node("QLinearConv", inputs, attributes)

    return unit


def _product(rows: int, inner: int, outputs: int) -> Trial:
    layer = Convolution(inner, outputs, 1, rows).layer()
    written = (rows, outputs)
    link = Link(
        plus(lambda sketch, given, before: sketch.node("MatMul", [given, sketch.weights((inner, outputs))])), written
    )
    return Trial("matmul", layer, (rows, inner), link, (adding(written),), streams=True)


__all__ = ["Link", "Trial", "adding", "carrying", "plus", "spread", "trials"]
