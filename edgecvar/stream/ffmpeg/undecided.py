"""Which lists a partition of an H.264 B picture uses, where FFmpeg's export leaves it open: the samples decide.

In a macroblock of several partitions FFmpeg exports both lists for each of them as soon as one uses each list; the
unused vector is then zero. A zero vector is real or a placeholder: what predicts the picture better is taken.
"""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.ffmpeg.prediction.residual import weigh
from edgecvar.stream.ffmpeg.prediction.sampling_h264 import luma_of_cells
from edgecvar.stream.ffmpeg.references import Weights
from edgecvar.stream.planes import Plane

_IMPOSSIBLE = np.iinfo(np.int32).max


def undecided_cells(
    mv: NDArray[np.int16], used: NDArray[np.bool_], split: NDArray[np.bool_]
) -> Tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cells (rows, columns) where list 0, and where list 1, may be a placeholder."""
    open_ = split & used[0] & used[1]
    zero = (mv == 0).all(axis=-1)
    return open_ & zero[0], open_ & zero[1]


def drop_placeholders(mv: NDArray[np.int16], used: NDArray[np.bool_], split: NDArray[np.bool_]) -> bool:
    """Settles `used` in place without samples: a zero vector beside another one is a placeholder.

    Returns False where anything was open.
    """
    first, second = undecided_cells(mv, used, split)
    used[0] &= ~(first & ~second)
    used[1] &= ~(second & ~first)
    return not (first.any() or second.any())


def settle_by_samples(
    mv: NDArray[np.int16],
    used: NDArray[np.bool_],
    split: NDArray[np.bool_],
    own: Plane,
    references: Tuple[Plane, Plane],
    both: Optional[Weights],
    maximum: int,
) -> bool:
    """Settles `used` in place by the luma samples; False where a choice is likely but not certain.

    It is certain where the chosen prediction is the picture, sample for sample, and no other one is.
    """
    first, second = undecided_cells(mv, used, split)
    where = first | second
    if not where.any():
        return True
    zero, one = (luma_of_cells(plane, maximum, mv[which], where) for which, plane in enumerate(references))
    rows, columns = where.shape
    actual = own.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)[where].astype(np.int32)
    errors = np.stack(
        [np.abs(actual - p.astype(np.int32)).sum(axis=(1, 2)) for p in (one, zero, weigh(zero, one, both, 0, maximum))]
    )
    errors[0][~first[where]] = _IMPOSSIBLE
    errors[1][~second[where]] = _IMPOSSIBLE
    best = errors.argmin(axis=0)
    used[0][where] = best != 0
    used[1][where] = best != 1
    explained = (errors == 0).sum(axis=0)
    return bool((explained == 1).all())
