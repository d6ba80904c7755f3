"""The page as a whole: one file that needs no network, no script and no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from edgecvar.cli.report.page.elements import Markup, element, joined
from edgecvar.cli.report.page.outcome_sections import (
    calibration_section,
    class_section,
    confusion_section,
    hardest_section,
    sources_section,
    timing_section,
)
from edgecvar.cli.report.page.report import Report
from edgecvar.cli.report.page.run_sections import (
    advice_section,
    curves_section,
    environment_section,
    head,
    recipe_section,
    split_section,
)
from edgecvar.cli.report.page.style import STYLE
from edgecvar.errors import ConfigError, reason
from edgecvar.files import whole_file

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Whatever a name holds, a browser loads nothing and runs nothing."""


def render(report: Report) -> str:
    """The document."""
    header = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", report.title),
        element("style", Markup(STYLE)),
    )
    body = element("body", head(report.title, report.facts), element("main", _sections(report)))
    return f"<!DOCTYPE html>\n{element('html', header, body, lang='en')}\n"


def write_page(target: Path, report: Report) -> None:
    """Write it, whole or not at all; raises ConfigError where it cannot be written."""
    try:
        with whole_file(target) as draft:
            draft.write_text(render(report), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written ({reason(error)}); choose another place") from error


def _sections(report: Report) -> Iterator[Markup]:
    if report.sources:
        yield sources_section(report.sources)
    if report.advice:
        yield advice_section(report.advice)
    if report.curves is not None:
        yield curves_section(report.curves)
    if report.outcomes is not None and report.outcomes.evaluation.clips:
        found = report.outcomes
        yield confusion_section(found, report.outcomes_of)
        yield class_section(found.classes)
        if report.timing is not None and report.timing.moments:
            yield timing_section(report.timing)
        if found.calibration is not None:
            yield calibration_section(found.calibration)
    if report.hardest:
        yield hardest_section(report.hardest)
    if report.split is not None:
        yield split_section(report.split)
    if report.recipe:
        yield recipe_section(report.recipe)
    if report.environment:
        yield environment_section(report.environment)
    yield joined(element("p", "Made by edgecvar. This page needs nothing beside it.", class_="faint"))
