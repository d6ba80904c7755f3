"""What a run is told of a stream, in decode order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Optional, Union

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.appearance import Appearance
from edgecvar.stream.types import Break

Inputs = Dict[str, NDArray[np.float32]]
"""By source (motion, residual, frame), each (channels, h, w)."""


@dataclass(frozen=True)
class SampledPicture:
    """A sampled P or B picture, prepared.

    `adjacent` is None in the first window of a stream, whose neighbour is yet to come, and where no stage asks; a
    sample of a clip that was read whole always has its `neighbour`.
    `read_at` is the clock's reading when its packet came out of the reader, in seconds. `clip` tells the clips apart
    where samples of several are in one list, and `part` counts the breaks of its stream before it.
    """

    decode_index: int
    display_index: int
    pts_seconds: float
    window: int
    read_at: float
    inputs: Inputs
    current: Appearance
    adjacent: Optional[Appearance]
    clip: int = 0
    part: int = 0

    @property
    def neighbour(self) -> Appearance:
        """`adjacent`, for whoever takes samples whose neighbour has come."""
        if self.adjacent is None:
            raise AssertionError("the neighbour of a sample is not filled in")
        return self.adjacent


@dataclass(frozen=True)
class SecondWindow:
    """The second window since the last break begins: the neighbour that the first has been waiting for."""

    appearance: Appearance


@dataclass(frozen=True)
class Settled:
    """All pictures displayed below this index have been read: samples there are in their order."""

    below: int


Message = Union[SampledPicture, SecondWindow, Settled, Break]
"""What a run is told, in decode order; a Break comes before the samples of what it opens."""


@dataclass(frozen=True)
class Coming:
    """A message that waits for I-pictures, which are decoded while the reader goes on, or is still to be prepared.

    `message` does the rest, in any thread; None where an I-picture cannot be decoded. It raises StreamError where the
    stream gives no images. Of a sampled picture, `read_at` is what it will have, and it may be left out.
    """

    message: Callable[[], Optional[Message]]
    read_at: Optional[float] = None
