"""From scored clips to what a page says first, and to the pictures of the hardest."""

from __future__ import annotations

from typing import Dict, Iterator, List, Optional, Sequence

from edgecvar import __version__
from edgecvar.cli.report.page.elements import percent, short
from edgecvar.cli.report.page.pictures import clip_pictures
from edgecvar.cli.report.page.report import Fact, ShownClip, Timing
from edgecvar.errors import EdgecvarError
from edgecvar.judge.machine import machine_facts, package_versions
from edgecvar.judge.outcomes import HardClip, Outcomes, interval

NEARLY = 0.95


def outcome_facts(found: Outcomes) -> List[Fact]:
    """Top-1 with its interval, clips, chance, the worst class."""
    evaluation = found.evaluation
    if not evaluation.clips:
        return [Fact("top-1", "-", "no clip could be judged")]
    right = int(evaluation.confusion.trace())
    low, high = interval(right, evaluation.clips)
    facts = [
        Fact("top-1", percent(evaluation.top1), f"{right} of {evaluation.clips} clips; 95 %: {low:.0%} to {high:.0%}")
    ]
    facts.append(Fact("chance", percent(evaluation.chance), f"the commonest of {len(evaluation.labels)} classes"))
    judged = [row for row in found.classes if row.recall is not None]
    worst = min(judged, key=lambda row: row.recall or 0.0)
    if worst.recall != 1:
        facts.append(Fact("hardest class", percent(worst.recall), f"of {worst.clips} clips of {short(worst.label)}"))
    return facts


def soon_fact(timing: Optional[Timing]) -> Optional[Fact]:
    """After how many seconds of video the answer is nearly as often right as at the end, where that beats chance."""
    if timing is None or not timing.moments or timing.moments[-1].top1 <= (timing.chance or 0.0):
        return None
    moments = timing.moments
    soon = next(each for each in moments if each.top1 >= NEARLY * moments[-1].top1)
    return Fact("settles after", f"{soon.seconds:g} s", f"then {soon.top1:.1%}, at the end {moments[-1].top1:.1%}")


def shown_clips(hardest: Sequence[HardClip]) -> Iterator[ShownClip]:
    """Each with its pictures, or with the reason why it has none."""
    for hard in hardest:
        try:
            yield ShownClip(hard, clip_pictures(hard.clip.path))
        except (EdgecvarError, OSError) as error:
            yield ShownClip(hard, None, f"no pictures: {error}")


def environment() -> Dict[str, str]:
    """Versions and the machine."""
    return {"edgecvar": __version__, **package_versions(), **machine_facts()}
