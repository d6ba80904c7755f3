"""An evaluation's page: one set of clips, or several side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

from edgecvar.bundle.exits import ExitShares
from edgecvar.cli.report.bundle.exits import exit_fact
from edgecvar.cli.report.page.outcome_facts import environment, outcome_facts, shown_clips, soon_fact
from edgecvar.cli.report.page.page import write_page
from edgecvar.cli.report.page.report import Report, Timing
from edgecvar.judge.outcomes import outcomes
from edgecvar.judge.sources import ScoredSource, compare_sources

OVER_TIME = (
    "Top-1 of a clip's running answer, the mean of its scores so far. A clip that is over keeps its last answer."
)


@dataclass(frozen=True)
class Subject:
    """What was evaluated: its name, and its recipe if that is known; of a bundle where pictures left it early."""

    name: str
    recipe: Optional[str]
    exits: Optional[ExitShares] = None


def write_evaluation_page(
    target: Path, subject: Subject, labels: Sequence[str], sources: Sequence[ScoredSource]
) -> None:
    """Of several sources the page compares all, and shows the first; raises ConfigError where it cannot be written."""
    first = sources[0]
    found = outcomes(labels, first.results)
    timing = Timing(found.moments, OVER_TIME, found.evaluation.chance) if found.moments else None
    soon = soon_fact(timing)
    exits = [] if subject.exits is None else [exit_fact(subject.exits)]
    write_page(
        target,
        Report(
            title=f"{subject.name} on {', '.join(source.name for source in sources)}",
            facts=[*outcome_facts(found), *([soon] if soon else []), *exits],
            outcomes=found,
            outcomes_of=f"The {found.evaluation.clips} clips of {first.name}",
            sources=compare_sources(labels, sources) if len(sources) > 1 else (),
            timing=timing,
            hardest=list(shown_clips(found.hardest)),
            recipe=subject.recipe,
            environment=environment(),
        ),
    )
