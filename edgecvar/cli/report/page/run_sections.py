"""Sections of a page that say how a run went, on which clips, by which recipe."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

from edgecvar.cli.report.page.charts import PARTS, Axis, Curve, Marks, chance_marks, line_chart, number_axis
from edgecvar.cli.report.page.elements import Markup, element, plain_list, section, short, table, text_lines
from edgecvar.cli.report.page.report import Curves, Split

SHOWN_CLASSES = 1000
SHOWN_CLIPS = 300
"""Validation clips that are named; the others are counted."""
RECIPE_SIGNS = 40_000
"""Of a recipe's text at most."""


def advice_section(lines: Sequence[str]) -> Markup:
    """What to try next."""
    return section("What to try next", element("ul", [element("li", line) for line in lines]))


def curves_section(curves: Curves) -> Markup:
    """Loss and top-1 by epoch."""
    best = None if curves.best_epoch is None else (float(curves.best_epoch), f"best, epoch {curves.best_epoch}")
    charts = []
    losses = [value for curve in curves.loss for _, value in curve.points]
    if losses:
        up = number_axis("loss", losses, floor=0.0)
        charts.append(line_chart("Loss by epoch", _epochs(curves.loss), up, curves.loss, Marks(place=best)))
    if any(curve.points for curve in curves.top1):
        up = Axis("top-1", 0, 1, PARTS.ticks, part=True)
        marks = chance_marks(curves.chance, best)
        charts.append(line_chart("Top-1 by epoch", _epochs(curves.top1), up, curves.top1, marks))
    return section("Curves", element("div", [element("figure", chart) for chart in charts], class_="pair"))


def _epochs(curves: Sequence[Curve]) -> Axis:
    return number_axis("epoch", [place for curve in curves for place, _ in curve.points], whole=True)


def split_section(split: Split) -> Markup:
    """Which clips trained, which validated, and why these."""
    rows = [(short(row.label), str(row.train), str(row.validation)) for row in split.rows[:SHOWN_CLASSES]]
    total = ("all", str(sum(row.train for row in split.rows)), str(sum(row.validation for row in split.rows)))
    left = len(split.rows) - SHOWN_CLASSES
    more = element("p", f"and {left} more classes", class_="faint") if left > 0 else None
    return section(
        "Which clips",
        plain_list([(name, value) for name, value in split.how]),
        element(
            "details",
            element("summary", "Clips of each class"),
            table(("class", "train", "validation"), [*rows, total], (0,)),
            more,
        ),
        _validation(split.validation),
    )


def _validation(names: Sequence[str]) -> Optional[Markup]:
    if not names:
        return None
    left = len(names) - SHOWN_CLIPS
    shown = [short(name) for name in names[:SHOWN_CLIPS]] + ([f"and {left} more"] if left > 0 else [])
    return element(
        "details",
        element("summary", f"{len(names)} clips that validate"),
        element("ul", [element("li", name) for name in shown]),
    )


def recipe_section(recipe: str) -> Markup:
    """The resolved recipe."""
    cut = recipe if len(recipe) <= RECIPE_SIGNS else f"{recipe[:RECIPE_SIGNS]}\n..."
    return section(
        "Recipe", element("details", element("summary", "Every key, as resolved"), element("pre", text_lines(cut)))
    )


def environment_section(environment: Mapping[str, str]) -> Markup:
    """Machine and versions."""
    return section("Made with", plain_list(list(environment.items())))
