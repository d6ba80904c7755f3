"""What a clip is to a network: the inputs of its samples, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Callable, Optional

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def changed(value: Optional[Array], change: Callable[[Array], Array]) -> Optional[Array]:
    """The value changed, where there is one."""
    return None if value is None else change(value)


@dataclass(frozen=True)
class PreparedClip:
    """One clip's inputs: image and adjacent (T, 3, h, w), motion (T, 2, h, w), residual (T, 3, h, w).

    `flow` (T, 2, h, w) and `frame` (T, 3, h, w) where they were asked for, and `intra` (T, 1, h, w). What the network
    does not take is None.
    """

    image: Optional[Array]
    adjacent: Optional[Array]
    motion: Array
    residual: Optional[Array]
    flow: Optional[Array] = None
    frame: Optional[Array] = None
    intra: Optional[Array] = None

    def repeated(self, segments: int) -> PreparedClip:
        """The clip over and over, so many segments in all."""
        if len(self.motion) == segments:
            return self
        places = np.arange(segments) % len(self.motion)
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(self, **{name: value[places] for name, value in values.items() if value is not None})
