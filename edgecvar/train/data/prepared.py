"""What a clip is to a network: the inputs of its samples, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class PreparedClip:
    """One clip's inputs: image and adjacent (T, 3, h, w), motion (T, 2, h, w), residual (T, 3, h, w).

    `flow` (T, 2, h, w) and `frame` (T, 3, h, w) where they were asked for.
    """

    image: Array
    adjacent: Array
    motion: Array
    residual: Array
    flow: Optional[Array] = None
    frame: Optional[Array] = None
