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

FIRST = LOOKED_AT * LEVELS**2
"""Mean square of the differences in the first picture up to which it may be so: all of them decide, whose mean may be
lower."""
ROUNDING = 1e-3
"""Of a sum of squares that is made of products; who passes by that much is measured exactly."""
BLOCK, PAIRS = 256, 1 << 13
"""Clips that validate, and pairs, that are compared at once: memory is bounded."""

Means = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Looks:
    """What a clip looks like: how many pictures, and the means (SIDE * SIDE,) of I-pictures by display index."""

    pictures: int
    means: Dict[int, Means]


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
    learnt, judged = _Several.of(looks, train), _Several.of(looks, validation)
    found = []
    for first in range(0, len(judged.places), BLOCK):
        mine, theirs = _candidates(judged, np.arange(len(judged.places))[first : first + BLOCK], learnt)
        for start in range(0, len(mine), PAIRS):
            pairs = mine[start : start + PAIRS], theirs[start : start + PAIRS]
            found += [(int(pairs[0][at]), int(pairs[1][at])) for at in np.flatnonzero(_same(judged, learnt, *pairs))]
    # In the order in which the clips were named.
    found.sort(key=lambda pair: (judged.places[pair[0]], learnt.places[pair[1]]))
    return [(learnt.paths[theirs], judged.paths[mine]) for mine, theirs in found]


@dataclass(frozen=True)
class _Several:
    """Clips (n,) from the shortest to the longest: the place that each was named at, and its looks.

    `at` (n, LOOKED_AT): display indices of `means` (n, LOOKED_AT, SIDE * SIDE), -1 where there are fewer.
    """

    paths: List[Path]
    places: List[int]
    pictures: Numbers
    at: Numbers
    means: Means

    @staticmethod
    def of(looks: Mapping[Path, Looks], paths: Iterable[Path]) -> _Several:
        """Those of the paths that have looks, each once."""
        named = [path for path in dict.fromkeys(paths) if path in looks]
        places = sorted(range(len(named)), key=lambda place: looks[named[place]].pictures)
        at = np.full((len(named), LOOKED_AT), -1)
        means = np.zeros((len(named), LOOKED_AT, SIDE * SIDE))
        for number, place in enumerate(places):
            shown = looks[named[place]].means
            at[number, : len(shown)], means[number, : len(shown)] = list(shown), list(shown.values())
        pictures = np.array([looks[named[place]].pictures for place in places], np.int64)
        return _Several([named[place] for place in places], places, pictures, at, means)


def _candidates(judged: _Several, block: Numbers, learnt: _Several) -> Tuple[Numbers, Numbers]:
    """Pairs, by number, of about as many pictures whose first means may be near enough."""
    pictures = judged.pictures[block]
    reach = np.maximum(1.0, LENGTHS * pictures)
    low = int(np.searchsorted(learnt.pictures, (pictures - reach).min(), "left"))
    high = int(np.searchsorted(learnt.pictures, (pictures + reach).max(), "right"))
    mine, theirs = judged.means[block, 0], learnt.means[low:high, 0]
    squares = (mine**2).sum(1)[:, None] + (theirs**2).sum(1) - 2 * mine @ theirs.T  # (block, high - low)
    alike = np.abs(learnt.pictures[low:high] - pictures[:, None]) <= reach[:, None]
    rows, columns = np.nonzero(alike & (squares <= SIDE * SIDE * FIRST + ROUNDING))
    return block[rows], low + columns


def _same(judged: _Several, learnt: _Several, mine: Numbers, theirs: Numbers) -> NDArray[np.bool_]:
    """Whether clips look the same, pair by pair: over the pictures that both show, if there is one."""
    first = ((judged.means[mine, 0] - learnt.means[theirs, 0]) ** 2).mean(1)
    at, other = judged.at[mine][:, :, None], learnt.at[theirs][:, None]
    pairs, rows, columns = np.nonzero((at == other) & (at >= 0))
    squares = ((judged.means[mine[pairs], rows] - learnt.means[theirs[pairs], columns]) ** 2).mean(1)
    both = np.bincount(pairs, minlength=len(mine))
    mean = np.bincount(pairs, squares, len(mine)) / np.maximum(both, 1)
    same: NDArray[np.bool_] = (first <= FIRST) & (both > 0) & (np.sqrt(mean) <= LEVELS)
    return same
