"""Pictures made by hand, as a decoder gives them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.colour import ShownPlanes


def grey(levels: NDArray[np.uint8]) -> ShownPlanes:
    """A picture (H, W) without colour, whose red, green and blue are its levels."""
    chroma = np.full((-(-levels.shape[0] // 2), -(-levels.shape[1] // 2)), 128, np.uint8)
    return ShownPlanes(levels, chroma, chroma, matrix=6, full=True)
