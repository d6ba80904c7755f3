"""What is measured of convolutions, also of products: in the blocked layout, plainly, in int8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Mapping, Tuple

from edgecvar.predict.cpu.kernels import BLOCK, Convolution
from edgecvar.predict.cpu.sketch import Sketch, Value
from edgecvar.predict.cpu.trials import MOST_WEIGHTS, Link, Trial, Unit, adding, counted, plus, spread

MOST_MULTIPLY_ADDS, MOST_VALUES = 150e6, 3e6
"""Of a convolution that is tried, and of a tensor."""
DEPTH = 8
"""Of what has three dimensions."""
Range = Tuple[float, float]


@dataclass(frozen=True)
class Sizes:
    """So many sizes of a routine: channels in and out, and output places along a side."""

    routine: str
    count: int
    inputs: Range
    outputs: Range
    side: Range


SIZES = (
    Sizes("blocked dense", 36, (16, 1024), (16, 1024), (4, 80)),
    Sizes("blocked pointwise", 32, (16, 2048), (16, 2048), (1, 80)),
    Sizes("blocked pointwise", 28, (128, 2048), (64, 2048), (4, 56)),
    Sizes("blocked depthwise", 28, (16, 2048), (16, 1024), (3, 112)),
    Sizes("blocked direct", 12, (2, 6), (16, 96), (7, 112)),
    Sizes("blocked squeeze", 6, (4, 15), (32, 512), (1, 1.4)),
    Sizes("plain dense", 24, (2, 64), (2, 64), (14, 224)),
    Sizes("plain dense", 24, (32, 1024), (32, 1024), (4, 80)),
    Sizes("plain pointwise", 32, (8, 2048), (16, 2048), (1, 80)),
    Sizes("plain pointwise", 32, (128, 2048), (64, 2048), (4, 90)),
    Sizes("plain depthwise", 28, (16, 2048), (16, 1024), (3, 112)),
    Sizes("plain volume", 36, (3, 768), (16, 512), (4, 56)),
    Sizes("quantised", 14, (16, 512), (16, 512), (4, 56)),
)


def convolution_trials(density: float = 1.0) -> List[Trial]:
    found: List[Trial] = []
    for sizes in SIZES:
        wanted = counted(sizes.count, density)
        found += [trial for trial, _ in zip(_sized_trials(sizes, 64 * wanted), range(wanted))]
    for rows, inner, outputs in spread(counted(24, density), (1, 800), (16, 2048), (8, 2048)):
        if rows * inner * outputs <= MOST_MULTIPLY_ADDS:
            found.append(_product(rows, inner, outputs))
    return found


def _sized_trials(sizes: Sizes, count: int) -> Iterator[Trial]:
    layout, kind = [*sizes.routine.split(), "quantised"][:2]
    for turn, (inputs, outputs, side) in enumerate(spread(count, sizes.inputs, sizes.outputs, sizes.side)):
        each, kernel = _sized(kind, inputs, outputs, side, turn // 2)
        each = each.blocked() if layout == "blocked" else each
        if layout == "blocked" and kind in ("dense", "pointwise") and each.inputs < BLOCK:
            continue
        largest = max(each.inputs * each.groups * each.taken, each.outputs * each.places)
        if each.multiply_adds <= MOST_MULTIPLY_ADDS and each.weights <= MOST_WEIGHTS and largest <= MOST_VALUES:
            yield _convolution(sizes.routine, each, kernel)


def _sized(kind: str, inputs: int, outputs: int, side: int, turn: int) -> Tuple[Convolution, Tuple[int, ...]]:
    """A convolution and its kernel's sides; `turn`: one of a few kernels and strides in turn."""
    groups = 1
    if kind == "depthwise":
        window, stride = ((3, 1), (5, 1), (3, 2), (5, 2), (3, 1))[turn % 5]
        inputs, outputs, groups = 1, inputs, inputs
    elif kind == "pointwise":
        window, stride = 1, 2 if turn % 4 == 3 and side > 3 else 1
    elif kind == "direct":
        window, stride = ((3, 2), (7, 2), (3, 1), (7, 2))[turn % 4]
    elif kind == "dense":
        window, stride = 3, 2 if turn % 4 == 3 else 1
    else:
        window, stride = (1, 3)[turn % 2] if kind == "quantised" else 1, 1
        outputs = inputs if kind == "quantised" else outputs
    kernel: Tuple[int, ...] = (window, window)
    places = side * side
    if kind == "volume":
        kernel = ((3, 3, 3), (1, 3, 3), (3, 1, 1))[turn % 3]
        places *= DEPTH
    area = 1
    for each in kernel:
        area *= each
    return Convolution(inputs, outputs, area, places, stride, groups, places * stride**2), kernel


def _convolution(routine: str, each: Convolution, kernel: Tuple[int, ...]) -> Trial:
    depth = (DEPTH,) if len(kernel) == 3 else ()
    taken, side = (round((places // (*depth, 1)[0]) ** 0.5) for places in (each.taken, each.places))
    given = (1, each.inputs * each.groups, *depth, taken, taken)
    written = (1, each.outputs, *depth, side, side)
    shape = (each.outputs, each.inputs, *kernel)
    attributes: Mapping[str, Value] = {
        "kernel_shape": kernel,
        "pads": tuple(size // 2 for size in kernel) * 2,
        "strides": (each.stride,) * len(kernel),
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
