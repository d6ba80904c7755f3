"""What is measured of kernels that compute little: elementwise, reductions, layouts, Q and DQ."""

from __future__ import annotations

from typing import Any, List, Tuple

from edgecvar.predict.cpu.kernels import carrying, pooling
from edgecvar.predict.cpu.sketch import Sketch
from edgecvar.predict.cpu.trials import MOST_WEIGHTS, Link, Trial, Unit, adding, counted, plus, shared, spread

MICROSOFT = "com.microsoft"
Shape = Tuple[int, ...]
SCALE, ZERO = 0.02, 0
LARGEST = 7_000_000
"""Values of a tensor."""


def carrying_trials(density: float = 1.0) -> List[Trial]:
    sizes = [*spread(counted(26, density), (2, 4000), (1, 112)), *spread(counted(10, density), (64, 2048), (40, 160))]
    shapes = [(1, channels, side, side) for channels, side in sizes if channels * side**2 <= LARGEST]
    found: List[Trial] = []
    for shape in shapes:
        found += [*_unary(shape), *_binary(shape), *_quantising(shape), *_rows(shape), *_moving(shape)]
    blocked = [(1, -(-shape[1] // 16) * 16, *shape[2:]) for shape in shapes]
    for shape in blocked:
        found += [*_reordering(shape), *_pooling(shape, True)]
    for shape in shapes[::2]:
        found += [*_pooling(shape, False), *_pooling(shape, False, "AveragePool")]
    kernels = spread(counted(16, density), (8, 1024), (4, 1024), (0.5, 3.49))
    for outputs, inputs, turn in kernels:
        window = 3 if turn == 2 else 1
        if outputs * inputs * window**2 <= MOST_WEIGHTS:
            found.append(_dequantised_weights((outputs, inputs, window, window)))
    return found


def _values(shape: Shape) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _unary(shape: Shape) -> List[Trial]:
    carried = 4 * _values(shape)
    layer = carrying("elementwise", shape, carried, carried)
    found = []
    for routine, operator, attributes, domain in (
        ("relu", "Relu", {}, ""),
        ("sigmoid", "Sigmoid", {}, ""),
        ("gelu", "QuickGelu", {"alpha": 1.0}, MICROSOFT),
        ("softmax", "Softmax", {}, ""),
    ):

        def unit(sketch: Sketch, given: str, before: str, how: Any = (operator, attributes, domain)) -> str:
            return sketch.node(how[0], [before], how[1], how[2])

        found.append(Trial(routine, layer, shape, Link(unit, shape)))
    view = Link(lambda sketch, given, before: sketch.node("Reshape", [before, sketch.constant(shape, "int64")]), shape)
    return [*found, Trial("view", layer, shape, view)]


def _binary(shape: Shape) -> List[Trial]:
    carried = 4 * _values(shape)
    same = Trial("binary", carrying("elementwise", shape, 2 * carried, carried), shape, adding(shape))
    rows, planes = (1, shape[1], 1, 1), (1, 1, *shape[2:])
    layer = carrying("elementwise", shape, carried, carried)
    return [
        same,
        Trial("binary rows", layer, shape, Link(_times(rows), shape)),
        Trial("binary planes", layer, shape, Link(_times(planes), shape)),
    ]


def _times(shape: Shape) -> Unit:
    return lambda sketch, given, before: sketch.node("Mul", [before, shared(sketch, shape)])


def _scaled(sketch: Sketch, dtype: str) -> List[str]:
    return [sketch.constant(SCALE), sketch.constant(ZERO, dtype)]


def _quantising(shape: Shape) -> List[Trial]:
    values = _values(shape)

    def dequantise(sketch: Sketch, given: str, before: str) -> str:
        return sketch.node("DequantizeLinear", [shared(sketch, shape, "uint8"), *_scaled(sketch, "uint8")])

    def both(sketch: Sketch, given: str, before: str) -> str:
        scaled = _scaled(sketch, "uint8")
        return sketch.node("DequantizeLinear", [sketch.node("QuantizeLinear", [given, *scaled]), *scaled])

    added = Link(plus(dequantise), shape)
    return [
        Trial("dequantise", carrying("elementwise", shape, values, 4 * values), shape, added, (adding(shape),)),
        Trial("quantise", carrying("elementwise", shape, 4 * values, values), shape, Link(plus(both), shape), (added,)),
    ]


def _dequantised_weights(shape: Shape) -> Trial:
    def unit(sketch: Sketch, given: str, before: str) -> str:
        scales = sketch.constant([SCALE] * shape[0])
        zeros = sketch.constant([ZERO] * shape[0], "int8")
        weights = sketch.given(shape, "int8")
        return sketch.node("DequantizeLinear", [weights, scales, zeros], {"axis": 0})

    values = _values(shape)
    layer = carrying("elementwise", (1, shape[0], *shape[1:]), 0, 4 * values, values)
    link = Link(plus(unit), shape)
    return Trial("dequantise weights", layer, (1,), link, (adding(shape),), streams=True)


def _rows(shape: Shape) -> List[Trial]:
    """Reductions over the places of a channel, and over the channels of a place."""
    carried = 4 * _values(shape)
    layer = carrying("reduction", shape, carried, 0)
    found = []
    for routine, axes, left in (
        ("reduce rows", (2, 3), (1, shape[1], 1, 1)),
        ("reduce planes", (1,), (1, 1, *shape[2:])),
    ):

        def unit(sketch: Sketch, given: str, before: str, axes: Shape = axes) -> str:
            return sketch.node("ReduceMean", [given], {"axes": axes})

        found.append(Trial(routine, layer, shape, Link(plus(unit), left), (adding(left),)))
    return found


def _moving(shape: Shape) -> List[Trial]:
    carried = 4 * _values(shape)

    def there_and_back(sketch: Sketch, given: str, before: str) -> str:
        last = sketch.node("Transpose", [before], {"perm": (0, 2, 3, 1)})
        return sketch.node("Transpose", [last], {"perm": (0, 3, 1, 2)})

    def joined(sketch: Sketch, given: str, before: str) -> str:
        both = sketch.node("Concat", [before, given], {"axis": 1})
        bounds = [sketch.constant([each], "int64") for each in (0, shape[1], 1)]
        return sketch.node("Slice", [both, *bounds])

    larger = (1, shape[1], 2 * shape[2], 2 * shape[3])

    def resized(sketch: Sketch, given: str, before: str) -> str:
        return sketch.node("Resize", [given, "", sketch.constant([1.0, 1.0, 2.0, 2.0])])

    moved = carrying("movement", shape, carried, carried)
    found = [
        Trial("transpose", moved, shape, Link(there_and_back, shape), times=2),
        Trial("copy", moved, shape, Link(joined, shape), times=3),
    ]
    if _values(larger) <= LARGEST:
        layer = carrying("movement", larger, carried, 4 * carried)
        found.append(Trial("resize", layer, shape, Link(plus(resized), larger), (adding(larger),)))
    return found


def _pooled(window: int, stride: int, operator: str = "MaxPool") -> Unit:
    attributes = {"kernel_shape": (window,) * 2, "pads": (window // 2,) * 4, "strides": (stride,) * 2}
    return lambda sketch, given, before: sketch.node(operator, [before if stride == 1 else given], attributes)


def _reordering(shape: Shape) -> List[Trial]:
    """From the blocked layout and back, between a pooling that is blocked and a product that is not."""
    carried = 4 * _values(shape)
    pool, times = _pooled(1, 1), _times((1, shape[1], 1, 1))

    def unit(sketch: Sketch, given: str, before: str) -> str:
        return times(sketch, given, pool(sketch, given, before))

    layer = carrying("movement", shape, carried, carried)
    less = (Link(pool, shape, True), Link(times, shape))
    return [Trial("reorder", layer, shape, Link(unit, shape, True), less, times=2)]


def _pooling(shape: Shape, blocked: bool, operator: str = "MaxPool") -> List[Trial]:
    """Windows of 3 x 3, and such that do not overlap."""
    name = "pool blocked" if blocked else "pool plain" if operator == "MaxPool" else "average plain"
    found = []
    if shape[2] >= 4:
        layer = pooling(shape, 9, 1)
        found.append(Trial(name, layer, shape, Link(_pooled(3, 1, operator), shape, blocked)))
    side = shape[2] // 4
    if not blocked and side > 1:
        less = (1, shape[1], side, side)
        attributes = {"kernel_shape": (4, 4), "strides": (4, 4)}
        given = (1, shape[1], 4 * side, 4 * side)

        def unit(sketch: Sketch, given: str, before: str) -> str:
            return sketch.node(operator, [given], attributes)

        found.append(Trial(name, pooling(less, 16, 4), given, Link(plus(unit), less), (adding(less),)))
    return found
