"""What a board said of itself while it was measured: clocks, temperatures, watts over time."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from edgecvar.bench.observed import Board, Reading
from edgecvar.cli.report.bench_page.amounts import figure
from edgecvar.cli.report.bench_page.legend import legend
from edgecvar.cli.report.page.charts import Curve, history_chart, number_axis
from edgecvar.cli.report.page.elements import Markup, element, plain_list, section, short

CURVES = 8
"""Of a chart at most: those of the largest values."""

Kind = Tuple[str, Callable[[Reading], Mapping[str, float]], Optional[float]]
"""Title of an axis, what of a reading it shows, and a value that it reaches down to."""

CHARTS: Sequence[Kind] = (
    ("clocks, MHz", lambda reading: reading.clocks_mhz, 0.0),
    ("temperature, degrees Celsius", lambda reading: reading.celsius, None),
    ("watts", lambda reading: reading.watts, 0.0),
    ("load", lambda reading: reading.load, 0.0),
)


def board_section(board: Board) -> Markup:
    """Facts in words, charts, and what the board's own advice is."""
    readings = sorted([*board.idle, *board.loaded], key=lambda reading: reading.at_seconds)
    begin = min((reading.at_seconds for reading in board.loaded), default=None)
    charts = [chart for chart in (_chart(kind, readings, begin) for kind in CHARTS) if chart is not None]
    marked = "The dashed line is where the measurement began; before it the board idled."
    return section(
        "The board",
        plain_list(_facts(board)),
        element("p", marked, class_="faint") if charts and board.idle and board.loaded else None,
        element("div", charts, class_="charts") if charts else None,
        element("ul", [element("li", line) for line in board.advice]) if board.advice else None,
    )


def _facts(board: Board) -> List[Tuple[str, str]]:
    locked = {True: "locked", False: "not locked: they follow the load", None: "cannot be told"}[board.clocks_locked]
    facts = [("power mode", board.power_mode or "cannot be told"), ("clocks", locked)]
    if board.settled_seconds is not None:
        facts.append(("settled after", f"{figure(board.settled_seconds)} s of warm-up"))
    idle, loaded = (_mean_watts(readings) for readings in (board.idle, board.loaded))
    if idle and loaded:
        name = max(loaded, key=lambda name: loaded[name])
        if name in idle:
            facts.append((f"watts, {short(name)}", f"{figure(idle[name])} idle, {figure(loaded[name])} loaded"))
    if board.joules_per_decision is not None:
        facts.append(("energy", f"{figure(board.joules_per_decision)} J a decision above idling"))
    facts.append(("throttling", board.throttled or "none was seen"))
    return facts


def _mean_watts(readings: Sequence[Reading]) -> Dict[str, float]:
    names = list(dict.fromkeys(name for reading in readings for name in reading.watts))
    values = {name: [reading.watts[name] for reading in readings if name in reading.watts] for name in names}
    return {name: sum(found) / len(found) for name, found in values.items()}


def _chart(kind: Kind, readings: Sequence[Reading], begin: Optional[float]) -> Optional[Markup]:
    title, of, floor = kind
    points: Dict[str, List[Tuple[float, float]]] = {}
    for reading in readings:
        for name, value in of(reading).items():
            points.setdefault(name, []).append((reading.at_seconds, value))
    largest = sorted(points, key=lambda name: -max(value for _, value in points[name]))[:CURVES]
    curves = [Curve(name, points[name]) for name in points if name in largest]
    if not curves:
        return None
    across = number_axis("seconds", [reading.at_seconds for reading in readings])
    up = number_axis(title, [value for curve in curves for _, value in curve.points], floor=floor)
    colours = {curve.name: number for number, curve in enumerate(curves)}
    left = len(points) - len(curves)
    return element(
        "figure",
        history_chart(f"{title} over time", across, up, curves, begin),
        legend(colours),
        element("figcaption", f"and {left} more that are lower") if left else None,
    )
