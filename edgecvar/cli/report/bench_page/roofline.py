"""The roofline plot: what each layer computes a second against what it computes a byte, below the device's roofs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from edgecvar.cli.report.bench_page.amounts import figure
from edgecvar.cli.report.bench_page.flow_picture import sized
from edgecvar.cli.report.bench_page.layers import ShownLayer, StageLayers
from edgecvar.cli.report.page.drawing import line, svg, text_at
from edgecvar.cli.report.page.elements import Markup, element, section
from edgecvar.predict.prediction import Prediction

WIDE, HIGH = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 30, 46
DOTS = 600
LABELLED = 5
"""Of the slowest layers are named."""
LARGEST = 11.0
"""Radius of the slowest layer's dot."""
KINDS = {
    "dense": ("convolution", "circle", 6),
    "grouped": ("convolution", "circle", 6),
    "pointwise": ("1 x 1 convolution, matrix product", "square", 0),
    "matmul": ("1 x 1 convolution, matrix product", "square", 0),
    "depthwise": ("depthwise", "triangle", 7),
    "volume": ("convolution", "circle", 6),
    "direct": ("convolution", "circle", 6),
}
"""By kind, or by the last word of a CPU's routine."""
OTHERS = ("other", "diamond", 5)
"""What a legend calls it, its shape, its colour."""

Place = Tuple[float, float]


def _look(kind: str) -> Tuple[str, str, int]:
    return KINDS.get(kind.split(" ")[-1], OTHERS)


@dataclass(frozen=True)
class Dot:
    """A layer: operations a byte, and 10^9 operations a second in `ms`."""

    layer: ShownLayer
    stage: str
    intensity: float
    gops: float


@dataclass(frozen=True)
class Decades:
    """Powers of ten from `low` to `high`, both logarithms, along `pixels` that begin at `start`."""

    low: int
    high: int
    start: float
    pixels: float

    def at(self, value: float) -> float:
        return self.start + self.pixels * (math.log10(value) - self.low) / (self.high - self.low)


def dots_of(stages: Sequence[StageLayers]) -> List[Dot]:
    """Of the layers whose work and time are known, slowest first."""
    found = []
    for stage in stages:
        for layer in stage.layers:
            operations = 2.0 * layer.multiply_adds
            if operations > 0 and layer.bytes > 0 and layer.time > 1e-9:
                found.append(Dot(layer, stage.stage, operations / layer.bytes, operations / layer.time / 1e6))
    return sorted(found, key=lambda dot: -dot.layer.time)


def roofline_section(stages: Sequence[StageLayers], prediction: Prediction) -> Optional[Markup]:
    """The plot with its legend; None where there is nothing to draw."""
    dots = dots_of(stages)
    if not dots or prediction.peak_gops <= 0 or prediction.bandwidth_gb_per_s <= 0:
        return None
    kinds = list(dict.fromkeys(_look(dot.layer.kind) for dot in dots))
    measured = sum(1 for dot in dots if dot.layer.ms is not None)
    text = f"A dot is a layer, the larger the more time it takes: {measured} by measured times, "
    text += f"{len(dots) - measured} by predicted ones. Roofs: {figure(prediction.peak_gops)} GOP/s in "
    text += f"{prediction.precision} and {figure(prediction.bandwidth_gb_per_s)} GB/s of {prediction.title}."
    left = sum(len(stage.layers) for stage in stages) - len(dots)
    note = f"{left} layers that multiply nothing have no dot." if left else None
    return section(
        "Roofline",
        element("p", text),
        element("ul", [element("li", _key(shape, colour), name) for name, shape, colour in kinds], class_="legend"),
        element("div", roofline(dots[:DOTS], prediction), class_="scroll"),
        element("p", note, class_="faint") if note else None,
    )


def roofline(dots: Sequence[Dot], prediction: Prediction) -> Markup:
    """Both axes logarithmic; the ridge between the roofs is always in sight."""
    peak, bandwidth = prediction.peak_gops, prediction.bandwidth_gb_per_s
    ridge = peak / bandwidth
    across = _decades([ridge, *(dot.intensity for dot in dots)], LEFT, WIDE - RIGHT - LEFT)
    up = _decades([peak, *(dot.gops for dot in dots)], HIGH - BOTTOM, -(HIGH - BOTTOM - TOP))
    parts = _frame(across, up)
    roof, *names = _roofs(across, up, peak, bandwidth)
    parts.append(roof)
    slowest = max(dot.layer.time for dot in dots)
    places = [(across.at(dot.intensity), up.at(dot.gops)) for dot in dots]
    for dot, (x, y) in zip(dots, places):
        _, shape, colour = _look(dot.layer.kind)
        radius = max(2.5, LARGEST * math.sqrt(dot.layer.time / slowest))
        said = f"{dot.stage}, {_end(dot.layer.name, 80)}: {figure(dot.layer.time)} ms, {figure(dot.gops)} GOP/s, "
        said += f"{figure(dot.intensity)} operations a byte"
        parts.append(_shape(shape, x, y, radius, f"dot c-{colour}", said))
    parts += _labels(dots[:LABELLED], places[:LABELLED])
    parts += names
    return sized(svg("Roofline of the layers", (WIDE, HIGH), parts, look="drawn"), WIDE)


def _decades(values: Sequence[float], start: float, pixels: float) -> Decades:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values) * 1.001))
    return Decades(low, max(high, low + 1), start, pixels)


def _frame(across: Decades, up: Decades) -> List[Markup]:
    parts = []
    for power in range(across.low, across.high + 1, 1 + (across.high - across.low) // 10):
        x = across.at(10.0**power)
        parts.append(line(x, TOP, x, HIGH - BOTTOM, "grid"))
        parts.append(text_at(x, HIGH - BOTTOM + 17, f"{10.0**power:g}", "tick small", "middle"))
    for power in range(up.low, up.high + 1, 1 + (up.high - up.low) // 10):
        y = up.at(10.0**power)
        parts.append(line(LEFT, y, WIDE - RIGHT, y, "grid"))
        parts.append(text_at(LEFT - 6, y + 4, f"{10.0**power:g}", "tick small", "end"))
    parts.append(text_at((LEFT + WIDE - RIGHT) / 2, HIGH - 8, "operations a byte", "", "middle"))
    parts.append(text_at(4, 16, "GOP/s"))
    return parts


def _roofs(across: Decades, up: Decades, peak: float, bandwidth: float) -> List[Markup]:
    """The slope of the bandwidth up to the ridge, then the peak; and what is written at both."""
    begin = max(10.0**across.low, 10.0**up.low / bandwidth)
    ridge = (across.at(peak / bandwidth), up.at(peak))
    points = [(across.at(begin), up.at(begin * bandwidth)), ridge, (WIDE - RIGHT, up.at(peak))]
    slope = (points[0][0] + ridge[0]) / 2, (points[0][1] + ridge[1]) / 2
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return [
        element("polyline", points=path, class_="roof"),
        text_at(WIDE - RIGHT, up.at(peak) - 6, f"{figure(peak)} GOP/s", "small strong halo", "end"),
        text_at(slope[0] + 8, slope[1] + 14, f"{figure(bandwidth)} GB/s", "small strong halo"),
    ]


def _labels(dots: Sequence[Dot], places: Sequence[Place]) -> List[Markup]:
    """Names beside their dots, each below those that it would touch."""
    parts = []
    taken: List[Tuple[float, float, float]] = []
    for dot, (x, y) in sorted(zip(dots, places), key=lambda pair: pair[1][1]):
        name = _end(dot.layer.name.partition(" + ")[0], 24)
        long = 6.6 * len(name)
        on_left = x + 14 + long > WIDE - RIGHT
        begin = x - 14 - long if on_left else x + 14
        to = y + 4
        while any(abs(to - other) < 14 and begin < last and first < begin + long for first, last, other in taken):
            to += 2
        taken.append((begin, begin + long, to))
        parts.append(text_at(x - 14 if on_left else x + 14, to, name, "small halo", "end" if on_left else None))
        if to > y + 8:
            parts.insert(0, line(x, y, x - 12 if on_left else x + 12, to - 4, "axis"))
    return parts


def _shape(shape: str, x: float, y: float, radius: float, look: str, said: str = "") -> Markup:
    title = element("title", said) if said else None
    if shape == "circle":
        return element("circle", title, cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{radius:.1f}", class_=look)
    corners: Dict[str, Sequence[Place]] = {
        "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "triangle": ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
        "diamond": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    }
    points = " ".join(f"{x + radius * right:.1f},{y + radius * down:.1f}" for right, down in corners[shape])
    return element("polygon", title, points=points, class_=look)


def _key(shape: str, colour: int) -> Markup:
    return element("svg", _shape(shape, 7, 7, 5, f"c-{colour}"), viewBox="0 0 14 14", aria_hidden="true")


def _end(name: str, signs: int) -> str:
    return name if len(name) <= signs else f"...{name[3 - signs :]}"
