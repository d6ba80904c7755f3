"""Decisions of equal label merged as they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from edgecvar.run.decisions import Decision


@dataclass
class Stretch:
    """Consecutive decisions with one label; `probability` is their mean, `opens` why the stream broke before them."""

    label: str
    start_seconds: float
    end_seconds: float
    total: float
    decisions: int
    opens: str = ""

    @property
    def probability(self) -> float:
        return self.total / self.decisions


class Stretches:
    """Merges decisions of equal label as they come; where the stream breaks, a stretch ends."""

    def __init__(self) -> None:
        self.open: Optional[Stretch] = None

    def push(self, decision: Decision) -> Optional[Stretch]:
        """Add a decision; the stretch that it ends, if it ends one."""
        current, at = self.open, decision.pts_seconds
        if current is not None and current.label == decision.label and not decision.opens:
            current.end_seconds = at
            current.total += decision.probability
            current.decisions += 1
            return None
        self.open = Stretch(decision.label, at, at, decision.probability, 1, decision.opens)
        return current
