"""What a page shows, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Mapping, Optional, Sequence, Tuple

from edgecvar.cli.report.page.charts import Curve

if TYPE_CHECKING:
    from edgecvar.cli.report.page.pictures import ClipPictures
    from edgecvar.judge.outcomes import HardClip, Moment, Outcomes
    from edgecvar.judge.sources import SourceRow


@dataclass(frozen=True)
class Fact:
    """A figure of the page's head: what it is, how much, and what is to be known of it."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Curves:
    """Loss and top-1 (0 to 1) of training and validation, with the epoch that was kept and the chance level."""

    loss: Sequence[Curve]
    top1: Sequence[Curve]
    best_epoch: Optional[int]
    chance: float


@dataclass(frozen=True)
class ShownClip:
    """One of the hardest clips with its pictures, or why there are none."""

    hard: HardClip
    pictures: Optional[ClipPictures]
    note: str = ""


@dataclass(frozen=True)
class SplitRow:
    """How many clips of a class train and how many validate."""

    label: str
    train: int
    validation: int


@dataclass(frozen=True)
class Split:
    """Which clips were what: counts by class, how it was decided, and the names of those that validate."""

    rows: Sequence[SplitRow]
    how: Sequence[Tuple[str, str]]
    validation: Sequence[str]


@dataclass(frozen=True)
class Timing:
    """How soon the answer is right, on what that was measured, and the chance level of these clips."""

    moments: Sequence[Moment]
    note: str
    chance: Optional[float]


@dataclass(frozen=True)
class Report:
    """A page; what there is nothing of has no section. `outcomes_of` names the clips that outcomes are of."""

    title: str
    facts: Sequence[Fact]
    advice: Sequence[str] = ()
    curves: Optional[Curves] = None
    outcomes: Optional[Outcomes] = None
    outcomes_of: str = ""
    sources: Sequence[SourceRow] = ()
    timing: Optional[Timing] = None
    hardest: Sequence[ShownClip] = ()
    split: Optional[Split] = None
    recipe: Optional[str] = None
    environment: Mapping[str, str] = field(default_factory=dict)
