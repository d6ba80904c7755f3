"""Clips of training and validation that look the same where their bytes differ: encoded anew, cut a little, copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.train.data.recorded import RecordedClip

SIDE = 8
"""Means along each side of a picture."""
LOOKED_AT = 8
"""I-pictures of a clip that are compared with those which another shows at the same places, from the first on."""
LEVELS = 3.0
"""Root mean square of the differences, in levels of 255, up to which two clips look the same: re-encoding makes less,
another take before the same wall more."""
LENGTHS = 0.02
"""Part by which their numbers of pictures may differ, one picture at least."""

Means = NDArray[np.float64]


@dataclass(frozen=True)
class Looks:
    """What a clip looks like: how many pictures, and the means (SIDE * SIDE,) of I-pictures by display index."""

    pictures: int
    means: Dict[int, Means]

    @property
    def first(self) -> Means:
        return next(iter(self.means.values()))

    def difference(self, other: Looks) -> float:
        """The root mean square over the pictures that both show; infinite where there is none."""
        both = self.means.keys() & other.means.keys()
        squares = [((self.means[index] - other.means[index]) ** 2).mean() for index in both]
        return float(np.sqrt(np.mean(squares))) if squares else float("inf")


def looks_of(clip: RecordedClip) -> Optional[Looks]:
    """A clip's looks; None where no image was kept, or its pictures are smaller than the means are many."""
    means = {}
    for place in sorted(clip.images)[:LOOKED_AT]:
        luma = clip.images[place].y
        height, width = luma.shape[0] // SIDE, luma.shape[1] // SIDE
        if not height or not width:
            return None
        blocks = luma[: height * SIDE, : width * SIDE].reshape(SIDE, height, SIDE, width)
        means[clip.display[place]] = blocks.mean((1, 3)).ravel()
    return Looks(len(clip.display), means) if means else None


def near_repeats(
    looks: Mapping[Path, Looks], train: Iterable[Path], validation: Iterable[Path]
) -> List[Tuple[Path, Path]]:
    """Pairs of a clip that trains and one that validates and looks the same; clips without looks are in none."""
    learnt = [path for path in dict.fromkeys(train) if path in looks]
    if not learnt:
        return []
    firsts = np.stack([looks[path].first for path in learnt])
    lengths = np.array([looks[path].pictures for path in learnt])
    found = []
    for path in dict.fromkeys(validation):
        mine = looks.get(path)
        if mine is None:
            continue
        alike = np.abs(lengths - mine.pictures) <= max(1.0, LENGTHS * mine.pictures)
        # The first picture rules most out; all of them decide, whose mean may be lower.
        near = ((firsts - mine.first) ** 2).mean(1) <= LOOKED_AT * LEVELS**2
        places = np.flatnonzero(alike & near)
        found += [
            (learnt[int(place)], path) for place in places if looks[learnt[int(place)]].difference(mine) <= LEVELS
        ]
    return found
