"""Charts whose lines lie where their values are."""

from __future__ import annotations

import re
from typing import List, Tuple

import pytest

from edgecvar.cli.report.page.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    PARTS,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Curve,
    apart,
    chance_marks,
    history_chart,
    line_chart,
    number_axis,
    reliability_chart,
)
from edgecvar.judge.outcomes import ConfidenceBin


def points(svg: str) -> List[Tuple[float, float]]:
    (found,) = re.findall(r'points="([^"]*)"', svg)
    return [tuple(map(float, pair.split(","))) for pair in found.split()]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "whole", "floor", "ticks"),
    [
        ([0.3, 2.9], False, 0.0, [0, 1, 2]),
        ([1.0, 30.0], True, None, [10, 20, 30]),
        ([1.0, 2.0], True, None, [1, 2]),
        ([1.0], True, None, [1, 2]),
        ([0.001, 0.004], False, 0.0, [0, 0.001, 0.002, 0.003, 0.004]),
        ([5e6], False, 0.0, [0, 1e6, 2e6, 3e6, 4e6, 5e6]),
    ],
)
def test_an_axis_holds_all_values_at_round_steps(values: List[float], whole: bool, floor: float, ticks: object) -> None:
    axis = number_axis("x", values, whole, floor)
    assert axis.low <= min(values) and max(values) <= axis.high and axis.low < axis.high
    assert axis.ticks == pytest.approx(ticks)


def test_a_line_goes_from_corner_to_corner_of_the_plot() -> None:
    across, up = Axis("epoch", 1, 3, (1, 2, 3)), Axis("top-1", 0, 1, PARTS.ticks, part=True)
    svg = line_chart("Top-1", across, up, [Curve("train", [(1, 0.0), (2, 0.5), (3, 1.0)])])
    middle = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    assert points(svg) == [(LEFT, HEIGHT - BOTTOM), pytest.approx(middle, abs=0.06), (WIDTH - RIGHT, TOP)]
    assert svg.count("<circle") == 3 and 'role="img"' in svg and "<title>Top-1</title>" in svg


def test_chance_and_best_are_marked_where_they_are() -> None:
    across, up = Axis("epoch", 0, 4, (0, 4)), Axis("top-1", 0, 1, PARTS.ticks, part=True)
    svg = line_chart("Top-1", across, up, [Curve("a", [(0, 0), (4, 1)])], chance_marks(0.25, (2.0, "best, epoch 2")))
    middle, quarter = (LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) / 4
    assert f'x1="{middle:.1f}" y1="{TOP:.1f}" x2="{middle:.1f}"' in svg and ">best, epoch 2</text>" in svg
    assert f'y1="{quarter:.1f}" x2="{WIDTH - RIGHT:.1f}" y2="{quarter:.1f}" class="chance"' in svg
    assert ">chance 25 %</text>" in svg


def test_two_curves_are_named_and_differ_by_more_than_colour() -> None:
    curves = [Curve("train", [(0, 0), (1, 1)]), Curve("validation", [(0, 1), (1, 0)])]
    svg = line_chart("x", Axis("x", 0, 1, ()), Axis("y", 0, 1, ()), curves)
    assert 'class="first">train' in svg.replace(' text-anchor="end"', "")
    assert 'class="second">validation' in svg.replace(' text-anchor="end"', "")


def test_the_curves_of_a_history_have_their_legends_colours_and_its_begin_is_marked() -> None:
    curves = [Curve("gpu", [(0, 0), (4, 1)]), Curve("cpu", [(0, 1), (4, 0)])]
    svg = history_chart("clocks", Axis("seconds", 0, 4, (0, 4)), Axis("MHz", 0, 1, ()), curves, begin=1.0)
    corners = f"{LEFT:.1f},{HEIGHT - BOTTOM:.1f} {WIDTH - RIGHT:.1f},{TOP:.1f}"
    assert f'class="curve line-0" points="{corners}"' in svg and 'class="curve line-1"' in svg
    quarter = LEFT + (WIDTH - RIGHT - LEFT) / 4
    assert f'x1="{quarter:.1f}" y1="{TOP:.1f}" x2="{quarter:.1f}"' in svg and "gpu" not in svg


def test_bars_are_as_high_as_what_was_right() -> None:
    svg = reliability_chart("x", [ConfidenceBin(0.5, 0.6, 7, 0.55, 0.5), ConfidenceBin(0.9, 1.0, 3, 0.95, 0.0)])
    heights = [float(each) for each in re.findall(r'height="([\d.]+)" class="bar"', svg)]
    assert heights == [pytest.approx((HEIGHT - BOTTOM - TOP) / 2, abs=0.06), 0]
    assert ">7</text>" in svg and ">3</text>" in svg


def test_what_is_written_along_an_axis_does_not_touch() -> None:
    assert apart([0.25, 0.5, 1, 1.5, 2, 3, 4, 12], 12) == [0.25, 1.5, 3, 4, 12]
