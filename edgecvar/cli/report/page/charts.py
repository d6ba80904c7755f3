"""Charts in SVG, whose text is text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

from edgecvar.cli.report.page.drawing import line, rectangle, svg, text_at
from edgecvar.cli.report.page.elements import Markup, element

if TYPE_CHECKING:
    from edgecvar.judge.outcomes import ConfidenceBin

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 24, 40, 44
"""Room around the plot for what is written there."""
DRAWN = 400
"""Points of a line at most: more are no longer seen."""


@dataclass(frozen=True)
class Axis:
    """What a value along it is, its range, and where it is written; `part` values are shown in percent."""

    title: str
    low: float
    high: float
    ticks: Sequence[float]
    part: bool = False

    def written(self, value: float) -> str:
        return f"{100 * value:.3g} %" if self.part else f"{value:.4g}"


@dataclass(frozen=True)
class Curve:
    """A value by what is across, such as the epoch, where there is one."""

    name: str
    points: Sequence[Tuple[float, float]]


@dataclass(frozen=True)
class Marks:
    """A level across the plot and a place along it, each with what is written beside it."""

    level: Optional[Tuple[float, str]] = None
    place: Optional[Tuple[float, str]] = None


PARTS = Axis("", 0, 1, (0, 0.25, 0.5, 0.75, 1), part=True)


def chance_marks(chance: Optional[float], place: Optional[Tuple[float, str]] = None) -> Marks:
    """The chance level, if there is one, beside a place."""
    return Marks(None if chance is None else (chance, f"chance {100 * chance:.3g} %"), place)


def apart(values: Sequence[float], span: float) -> List[float]:
    """Those of rising values that can be written along `span` without touching."""
    kept: List[float] = []
    for value in values:
        if not kept or value - kept[-1] >= span / 12:
            kept.append(value)
    return kept


def number_axis(title: str, values: Sequence[float], whole: bool = False, floor: Optional[float] = None) -> Axis:
    """One that holds all values, and `floor`; in steps of 1, 2 or 5 times a power of ten, `whole` ones if asked."""
    low, high = min(values), max(values)
    low = low if floor is None else min(low, floor)
    high = high if high > low else low + 1
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 5)
    step = max(1.0, step) if whole else step
    first = math.ceil(low / step - 1e-9)
    ticks = [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
    return Axis(title, low, high, ticks)


def line_chart(title: str, across: Axis, up: Axis, curves: Sequence[Curve], marks: Marks = Marks()) -> Markup:
    """Two curves at most, told apart by colour, dashes and the name at their end."""
    parts = _frame(across, up)
    if marks.level is not None:
        level, text = marks.level
        y = _y(up, level)
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, "chance"))
        parts.append(text_at(WIDTH - RIGHT, y - 5, text, "tick", "end"))
    if marks.place is not None:
        place, text = marks.place
        x = _x(across, place)
        parts.append(line(x, TOP, x, HEIGHT - BOTTOM, "mark"))
        parts.append(text_at(min(max(x, LEFT + 40), WIDTH - RIGHT - 40), TOP - 5, text, "mark-text", "middle"))
    for curve, look in zip(curves, ("first", "second")):
        points = [(_x(across, x), _y(up, y)) for x, y in _thinned(curve.points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(element("polyline", class_=look, points=path))
        if len(points) <= 24:
            parts += [element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3, class_=look) for x, y in points]
    parts += _names(curves)
    return svg(title, (WIDTH, HEIGHT), parts)


def history_chart(title: str, across: Axis, up: Axis, curves: Sequence[Curve], begin: Optional[float] = None) -> Markup:
    """Curves that a legend beside it names, in its order of colours; `begin` is marked."""
    parts = _frame(across, up)
    if begin is not None:
        parts.append(line(_x(across, begin), TOP, _x(across, begin), HEIGHT - BOTTOM, "mark"))
    for number, curve in enumerate(curves):
        points = " ".join(f"{_x(across, x):.1f},{_y(up, y):.1f}" for x, y in _thinned(curve.points))
        parts.append(element("polyline", class_=f"curve line-{number}", points=points))
    return svg(title, (WIDTH, HEIGHT), parts)


def reliability_chart(title: str, bins: Sequence[ConfidenceBin]) -> Markup:
    """The part that is right of each bin of confidence, its clips written above, against the diagonal."""
    across = Axis("probability of the answer", 0, 1, PARTS.ticks, part=True)
    up = Axis("right", 0, 1, PARTS.ticks, part=True)
    parts = _frame(across, up)
    parts.append(line(_x(across, 0), _y(up, 0), _x(across, 1), _y(up, 1), "chance"))
    for each in bins:
        left, right, y = _x(across, each.low) + 2, _x(across, each.high) - 2, _y(up, each.accuracy)
        height = _y(up, 0) - y
        parts.append(rectangle(left, y, right - left, height, class_="bar"))
        parts.append(text_at((left + right) / 2, y - 4, str(each.clips), "tick", "middle"))
    return svg(title, (WIDTH, HEIGHT), parts)


def _frame(across: Axis, up: Axis) -> List[Markup]:
    """Grid, axes, and what is written at them."""
    parts = []
    for value in up.ticks:
        y = _y(up, value)
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        parts.append(text_at(LEFT - 6, y + 4, up.written(value), "tick", "end"))
    for value in across.ticks:
        parts.append(text_at(_x(across, value), HEIGHT - BOTTOM + 17, across.written(value), "tick", "middle"))
    parts.append(line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis"))
    parts.append(text_at((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across.title, "", "middle"))
    parts.append(text_at(4, 16, up.title, "title"))
    return parts


def _names(curves: Sequence[Curve]) -> List[Markup]:
    """A name in its curve's colour at the top right, where no curve's end can hide it."""
    if len(curves) < 2:
        return []
    return [
        text_at(WIDTH - RIGHT - 100 * (len(curves) - 1 - number), 16, curve.name, look, "end")
        for number, (curve, look) in enumerate(zip(curves, ("first", "second")))
    ]


def _thinned(points: Sequence[Tuple[float, float]]) -> Sequence[Tuple[float, float]]:
    step = -(-len(points) // DRAWN)
    return points if step <= 1 else [*points[:-1:step], points[-1]]


def _x(axis: Axis, value: float) -> float:
    return LEFT + (WIDTH - RIGHT - LEFT) * (value - axis.low) / (axis.high - axis.low)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - axis.low) / (axis.high - axis.low)
