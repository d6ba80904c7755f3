"""A motion field as rectangles: equal neighbouring blocks together, nothing lost."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.types import BLOCK, MotionField


@dataclass(frozen=True, eq=False)
class Rectangles:
    """N rectangles of one picture, each with one vector to one reference; a bi-predicted area has one in either list.

    `x`, `y`, `width`, `height` in luma samples of the coded picture, uint16 (N,). `list` 0 or 1, uint8. `mv_x`, `mv_y`
    from the block to its reference in quarter pixels, int16. `ref_offset`: display index of the reference minus the
    picture's, int16. `weighted` bool. What no rectangle covers is intra.
    """

    list: NDArray[np.uint8]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    width: NDArray[np.uint16]
    height: NDArray[np.uint16]
    mv_x: NDArray[np.int16]
    mv_y: NDArray[np.int16]
    ref_offset: NDArray[np.int16]
    weighted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)


def rectangles(motion: MotionField) -> Rectangles:
    """The rectangles of a motion field: runs of equal blocks along rows, equal runs of neighbouring rows together."""
    lists = [_of_list(motion, number) for number in (0, 1)]
    return Rectangles(*(np.concatenate([getattr(each, field.name) for each in lists]) for field in fields(Rectangles)))


def _of_list(motion: MotionField, number: int) -> Rectangles:
    rows, columns = motion.intra.shape
    offset, mv = motion.ref_offset[number], motion.mv_qpel[number]
    used = (offset != 0) & ~motion.intra
    values = np.stack([mv[..., 0], mv[..., 1], offset, motion.weighted.astype(np.int16)], axis=-1)  # (rows, columns, 4)
    changes = np.ones((rows, columns), bool)
    changes[:, 1:] = (values[:, 1:] != values[:, :-1]).any(axis=-1) | ~used[:, :-1]
    row, first = np.nonzero(changes & used)
    ends = np.ones((rows, columns), bool)
    ends[:, :-1] = changes[:, 1:] | ~used[:, 1:]
    last = np.nonzero(ends & used)[1]
    value = values[row, first]  # (runs, 4)
    order = np.lexsort((row, *value.T, last, first))
    row, first, last, value = row[order], first[order], last[order], value[order]
    opens = np.ones(len(row), bool)
    opens[1:] = (row[1:] != row[:-1] + 1) | (first[1:] != first[:-1]) | (last[1:] != last[:-1])
    opens[1:] |= (value[1:] != value[:-1]).any(axis=-1)
    start = np.nonzero(opens)[0]
    height = np.diff(np.append(start, len(row)))
    first, last, value = first[start], last[start], value[start]
    return Rectangles(
        list=np.full(len(start), number, np.uint8),
        x=(first * BLOCK).astype(np.uint16),
        y=(row[start] * BLOCK).astype(np.uint16),
        width=((last - first + 1) * BLOCK).astype(np.uint16),
        height=(height * BLOCK).astype(np.uint16),
        mv_x=value[:, 0].astype(np.int16),
        mv_y=value[:, 1].astype(np.int16),
        ref_offset=value[:, 2].astype(np.int16),
        weighted=value[:, 3].astype(bool),
    )
