"""Which groups of clips validate, where nobody has said so: whole groups, every class on both sides if it can be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.labelled import Clip
from edgecvar.documents import DIGITS
from edgecvar.errors import DatasetError
from edgecvar.train.data.groups import CLIPS, NUMBERS, find_rule, groups_of

SHOWN = 8
"""Groups that the line about a split names; more are counted."""
FORBIDDEN = 1e6
"""What it costs to leave a class nothing to learn from."""


@dataclass(frozen=True)
class Draw:
    """How the clips that validate were found: the rule, the group of every clip, and whether it validates."""

    rule: str
    groups: List[str]
    validates: List[bool]

    @property
    def validating(self) -> List[str]:
        """The groups that validate, those with numbers in their order."""
        return sorted({group for group, chosen in zip(self.groups, self.validates) if chosen}, key=_natural)

    def told(self) -> str:
        """The split in words."""
        count, total, parts = sum(self.validates), len(self.groups), self.validating
        if self.rule == CLIPS:
            return f"no groups: {count} of {total} clips, drawn one by one in each class, validate"
        named = ", ".join(parts[:SHOWN]) + (f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else "")
        if self.rule == NUMBERS:
            return f"names have numbers alone, so neighbours stay together: {named} validate ({count} of {total} clips)"
        verb = "validates" if len(parts) == 1 else "validate"
        return f"{len(set(self.groups))} groups by '{self.rule}': {named} {verb} ({count} of {total} clips)"


def draw_validation(clips: Sequence[Clip], rule: Optional[str], fraction: float, seed: int) -> Draw:
    """The clips that validate, by a rule of edgecvar.train.data.groups or, with None, by the one that names show.

    The same clips, rule, fraction and seed give the same draw. Raises DatasetError where there is one group alone.
    """
    rule = find_rule(clips) if rule is None else rule
    groups = groups_of(clips, rule, fraction)
    rng = np.random.default_rng([seed, len(clips)])
    if rule == CLIPS:
        return Draw(rule, groups, _drawn_in_classes(clips, fraction, rng))
    names = sorted(set(groups), key=_natural)
    if len(names) == 1:
        raise DatasetError(
            f"{clips[0].path.parent.parent}: all {len(clips)} clips are of one group ({names[0]}) by {rule!r}, so none "
            "can validate beside it; give another split_by"
        )
    labels = sorted({clip.label for clip in clips})
    rows = {name: row for row, name in enumerate(names)}
    columns = {label: column for column, label in enumerate(labels)}
    counts = np.zeros((len(names), len(labels)))
    for clip, group in zip(clips, groups):
        counts[rows[group], columns[clip.label]] += 1
    chosen = _choose(counts, fraction, rng)
    return Draw(rule, groups, [bool(chosen[rows[group]]) for group in groups])


def _drawn_in_classes(clips: Sequence[Clip], fraction: float, rng: np.random.Generator) -> List[bool]:
    """Of each class its fraction, one at least, unless the class has but one clip."""
    validates = [False] * len(clips)
    for label in sorted({clip.label for clip in clips}):
        places = [place for place, clip in enumerate(clips) if clip.label == label]
        count = min(len(places) - 1, max(1, round(fraction * len(places))))
        for place in rng.permutation(len(places))[:count]:
            validates[places[int(place)]] = True
    return validates


def _choose(counts: NDArray[np.float64], fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of the groups (G,) validate, from their clips of each class (G, classes).

    The first is drawn of those that leave each class something to learn from; then the one that brings the classes
    nearest to their fraction, while one does.
    """
    order = rng.permutation(len(counts))
    shuffled = counts[order]
    total = counts.sum(0)
    first = int(np.argmax((shuffled < total).all(1)))
    chosen = np.zeros(len(counts), np.bool_)
    clips = np.zeros_like(total)
    best, place = np.inf, first
    while not chosen.all():
        cost = float(_cost(clips + shuffled[place], total, fraction))
        if cost >= best:
            break
        best, chosen[order[place]] = cost, True
        clips = clips + shuffled[place]
        costs = _cost(clips + shuffled, total, fraction)
        costs[chosen[order]] = np.inf
        place = int(costs.argmin())
    return chosen


def _cost(clips: NDArray[np.float64], total: NDArray[np.float64], fraction: float) -> NDArray[np.float64]:
    """How far the clips of each class that would validate (..., classes) are from what they should be."""
    uneven = ((clips - fraction * total) ** 2 / total).sum(-1)
    return np.asarray(uneven + (clips == 0).sum(-1) + FORBIDDEN * (clips == total).sum(-1))


def _natural(name: str) -> List[str]:
    """A key by which 9 is before 10."""
    return [part.zfill(DIGITS) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
