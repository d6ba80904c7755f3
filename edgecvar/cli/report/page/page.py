"""The page of a report: its sections, those of which there is something."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from edgecvar.cli.report.page.document import document, write_document
from edgecvar.cli.report.page.elements import Markup
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
    recipe_section,
    split_section,
)


def render(report: Report) -> str:
    """The document."""
    return document(report.title, report.facts, _sections(report))


def write_page(target: Path, report: Report) -> None:
    """Write it, whole or not at all; raises ConfigError where it cannot be written."""
    write_document(target, render(report))


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
