"""The vectors that FFmpeg exports, on a grid of cells, and the MotionField of such a grid."""

from __future__ import annotations

from typing import Optional, Tuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.ffmpeg.references import Weighting
from edgecvar.stream.types import MotionField

_Scalar = TypeVar("_Scalar", bound=np.generic)


def vectors_to_grid(
    exported: Optional[NDArray[np.void]], rows: int, columns: int
) -> Tuple[NDArray[np.int16], NDArray[np.bool_], NDArray[np.bool_]]:
    """Spreads FFmpeg's exported vectors, if any, over the 8 x 8-pixel grid of `rows` x `columns` cells.

    Returns `mv` int16 (2, rows, columns, 2) in quarter pixels, `used` bool (2, rows, columns), and `split` bool
    (rows, columns): the cell lies in a macroblock coded in smaller partitions.
    """
    mv = np.zeros((2, rows, columns, 2), np.int16)
    used = np.zeros((2, rows, columns), bool)
    split = np.zeros((rows, columns), bool)
    if exported is None:
        return mv, used, split
    scale = np.maximum(exported["motion_scale"].astype(np.int32), 1)
    vector = np.stack([exported["motion_x"], exported["motion_y"]], axis=-1).astype(np.int32)
    vector = vector * 4 // scale[:, None]
    lists = (exported["source"] > 0).astype(np.intp)
    width, height = exported["w"].astype(np.int32), exported["h"].astype(np.int32)
    left = (exported["dst_x"].astype(np.int32) - width // 2) >> 3
    top = (exported["dst_y"].astype(np.int32) - height // 2) >> 3
    partial = (width < 16) | (height < 16)
    for down in (0, 1):
        for across in (0, 1):
            row, column = top + down, left + across
            inside = (down == 0) | (height >= 16)
            inside &= (across == 0) | (width >= 16)
            inside &= (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
            which, row, column = lists[inside], row[inside], column[inside]
            mv[which, row, column] = vector[inside]
            used[which, row, column] = True
            split[row, column] = partial[inside]
    return mv, used, split


def motion_field(
    mv: NDArray[np.int16],
    used: NDArray[np.bool_],
    offsets: Tuple[Optional[int], Optional[int]],
    weighting: Weighting,
    exact: bool,
) -> MotionField:
    """The MotionField of the 8 x 8 cells of `vectors_to_grid`; `offsets` is how far the references are displayed away.

    A block whose reference is not known keeps offset 0 in that list.
    """
    complete = not any(used[which].any() and not offsets[which] for which in (0, 1))
    offset = np.zeros(used.shape, np.int16)
    for which in (0, 1):
        offset[which][used[which]] = offsets[which] or 0
    return MotionField(
        mv_qpel=_to_blocks(mv),
        ref_offset=_to_blocks(offset),
        intra=_to_blocks(~(used[0] | used[1])[None])[0],
        weighted=_to_blocks(_weighted(used, weighting)[None])[0],
        exact=exact and complete,
    )


def _to_blocks(cells: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """From the 8 x 8-pixel grid to the 4 x 4-pixel one."""
    return cells.repeat(2, axis=1).repeat(2, axis=2)


def _weighted(used: NDArray[np.bool_], weighting: Weighting) -> NDArray[np.bool_]:
    both = used[0] & used[1]
    weighted: NDArray[np.bool_] = both & (weighting.both is not None)
    weighted |= used[0] & ~used[1] & (weighting.list0 is not None)
    weighted |= used[1] & ~used[0] & (weighting.list1 is not None)
    return weighted
