"""Where pictures left a network early, in words."""

from __future__ import annotations

from typing import List, Optional

from edgecvar.bundle.exits import ExitRecord, ExitShares
from edgecvar.cli.report.page.report import Fact


def record_lines(record: ExitRecord) -> List[str]:
    """How sure exits must be, and what that came to where it was chosen."""
    rules = ", ".join(f"{rule.stage} at {rule.confidence:g}" for rule in record.rules)
    if record.trial is None:
        return [f"early exits: {rules} (not chosen on clips; 1 is never)"]
    trial = record.trial
    chosen = f"chosen on {trial.clips} clips of {trial.data} at a loss of at most {trial.max_drop:g} points"
    return [f"early exits: {rules}, {chosen}", *_trial_lines(record)]


def _trial_lines(record: Optional[ExitRecord]) -> List[str]:
    trial = None if record is None else record.trial
    if trial is None:
        return []
    return [
        f"when compiled: {trial.saved:.1%} of the multiply-adds saved, top-1 {trial.top1:.1%} of {trial.clips} clips, "
        f"{trial.top1_whole:.1%} without exits; the clips are those that the confidence was chosen on"
    ]


def exit_fact(shares: ExitShares) -> Fact:
    """For a page: the multiply-adds saved, and where pictures left."""
    return Fact("saved by early exits", f"{shares.saved:.1%}", f"of the multiply-adds; left {_places(shares)}")


def _places(shares: ExitShares) -> str:
    return ", ".join(f"{count / max(1, shares.pictures):.1%} at {name}" for name, count in shares.left.items())


def exit_lines(shares: ExitShares, record: Optional[ExitRecord]) -> List[str]:
    """The share of the pictures that left at each stage, what it saved, and what the bundle says of accuracy."""
    lines = [
        f"early exits: of {shares.pictures} pictures {_places(shares)}; {shares.saved:.1%} of the "
        "multiply-adds saved, of what all stages take without exits"
    ]
    return [*lines, *_trial_lines(record)]
