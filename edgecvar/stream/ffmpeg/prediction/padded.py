"""Planes with replicated edges, from which blocks are taken at any position, however far outside."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from edgecvar.stream.planes import Plane

Blocks = Tuple[Plane, ...]
"""Predicted samples (n, rows, columns) of each plane."""


class PaddedPlane:
    """Several planes of one size, (count, H + 2 pad, W + 2 pad), whose edges are replicated by `pad`."""

    def __init__(self, samples: Plane, size: Tuple[int, ...], pad: int) -> None:
        self._samples = np.ascontiguousarray(samples)
        self._height, self._width = size
        self._pad = pad

    @classmethod
    def of(cls, plane: Plane, pad: int) -> PaddedPlane:
        return cls(np.pad(plane, pad, mode="edge")[None], plane.shape, pad)

    def blocks(
        self,
        plane: int | NDArray[Any],
        x: NDArray[Any],
        y: NDArray[Any],
        side: Tuple[int, int],
        step_x: Optional[NDArray[Any]] = None,
        step_y: Optional[NDArray[Any]] = None,
    ) -> Plane:
        """Blocks (n, *side) with top left corner (x + step_x, y + step_y); the steps are 0 or 1.

        Beyond the padding every sample repeats the edge, so a position is only brought back to where that is so.
        """
        count, rows, pitch = self._samples.shape
        height, width = side
        x = np.minimum(np.maximum(x, -self._pad), self._width + self._pad - width - 1) + self._pad
        y = np.minimum(np.maximum(y, -self._pad), self._height + self._pad - height - 1) + self._pad
        if step_x is not None and step_y is not None:
            x, y = x + step_x, y + step_y
        start = (plane * rows + y) * pitch + x
        last = count * rows * pitch - (height - 1) * pitch - (width - 1)
        size = self._samples.itemsize
        windows = as_strided(self._samples, (last, height, width), (size, pitch * size, size), writeable=False)
        picked: Plane = windows[start]
        return picked
