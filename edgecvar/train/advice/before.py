"""What makes a data set's figures doubtful, said before a run learns anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Dict, List, Sequence, Set, Tuple

from edgecvar.clips.labelled import Clip
from edgecvar.train.data.groups import CLIPS, NUMBERS, find_rule, groups_of
from edgecvar.train.data.splits import Split

FEW = 5
"""Clips below which a class has few to learn from."""
SHOWN = 5
"""Names that a line has; more are counted."""


def cautions(
    split: Split, train: Sequence[Clip], validation: Sequence[Clip], alike: Sequence[Tuple[Path, Path]]
) -> List[str]:
    """Lines about the readable clips of a split; `alike`: pairs that look the same, one in training, one not."""
    lines = _few(split.labels, train)
    if validation:
        judged = {clip.label for clip in validation}
        unseen = [label for label in split.labels if label not in judged]
        if unseen:
            lines.append(f"no clip validates of {_some(unseen)}: what the figures say is of the others")
        lines += _about_groups(split, train, validation)
    else:
        lines.append("no clip validates: set validation_fraction=0.25, or nobody knows how good the network is")
    if alike:
        pairs = [f"{one} and {other}" for one, other in alike]
        lines.append(f"clips that look the same train and validate, so the figures are too good: {_some(pairs, 2)}")
    return [f"warning: {line}" for line in lines]


def _few(labels: Sequence[str], train: Sequence[Clip]) -> List[str]:
    counts = Counter(clip.label for clip in train)
    few = [f"{label} ({counts[label]})" for label in labels if counts[label] < FEW]
    return [f"fewer than {FEW} clips to learn from: {_some(few)}; more of them help most"] if few else []


def _about_groups(split: Split, train: Sequence[Clip], validation: Sequence[Clip]) -> List[str]:
    """Classes of one group alone, and groups on both sides, where names show groups."""
    everything = [*train, *validation]
    rule = find_rule(everything) if split.draw is None else split.draw.rule
    if rule in (NUMBERS, CLIPS):
        return []
    groups = groups_of(everything, rule, 1.0)
    learnt: Dict[str, Set[str]] = defaultdict(set)
    for clip, group in zip(train, groups):
        learnt[clip.label].add(group)
    lines = []
    single = [f"{label} ({', '.join(learnt[label])})" for label in split.labels if len(learnt[label]) == 1]
    if single:
        lines.append(f"one group alone to learn from, so its looks may stand for the class: {_some(single)}")
    both = sorted(set(groups[: len(train)]) & set(groups[len(train) :]))
    if both:
        lines.append(f"groups by '{rule}' are on both sides, so the figures may be too good: {_some(both)}")
    return lines


def _some(names: Sequence[str], shown: int = SHOWN) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
