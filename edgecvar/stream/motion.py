"""A MotionField as content velocity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.types import MotionField


def velocity(motion: MotionField) -> NDArray[np.float32]:
    """Content velocity (H/4, W/4, 2) in pixels per displayed picture: mv / 4 / ref_offset, lists averaged, 0 on intra.

    A vector points from the block back to where it came from, so a reference one picture earlier (offset -1) and a
    vector of -8 quarter pixels mean a content that moves by +2 pixels a picture.
    """
    used = motion.ref_offset != 0
    offset = np.where(used, motion.ref_offset, 1).astype(np.float32)
    per_list = motion.mv_qpel.astype(np.float32) / (4.0 * offset)[..., None]
    per_list *= used[..., None]
    count = np.maximum(used.sum(axis=0), 1).astype(np.float32)
    average: NDArray[np.float32] = (per_list.sum(axis=0) / count[..., None]).astype(np.float32)
    return average
