"""What one natively parsed picture holds, computed when asked: vectors, weights, residual, image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional, Protocol, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.planes import Geometry, differences_in_8_bits
from edgecvar.stream.types import MotionField, PredictionWeights, Residual

if TYPE_CHECKING:
    from edgecvar.stream.native._core import Picture


class Imaged(Protocol):
    """What makes the image of a picture."""

    def planes(self, geometry: Geometry) -> ShownPlanes: ...


class NativeContent:
    """The lazy content of a parsed picture; `imaged` makes its image, None where it has none.

    `intact` is False where the stream was cut before what the picture refers to, so that its reference lists may not be
    the encoder's.

    The residual is the coded one in all blocks: in intra blocks the difference to the intra prediction. 4:0:0 gives
    zero chroma. `look` is called once, when the first is asked of vectors, weights, residual and the parsed picture.
    """

    look: Optional[Callable[[], None]] = None

    def __init__(self, picture: Picture, geometry: Geometry, imaged: Optional[Imaged], intact: bool) -> None:
        self._picture = picture
        self._intact = intact
        self._geometry = geometry
        self._imaged = imaged

    @property
    def reference(self) -> bool:
        """Whether others may refer to it."""
        return self._picture.reference

    @property
    def parsed(self) -> Picture:
        """The core's picture, which parses itself where that is still to be done; its damage is counted by now."""
        look, self.look = self.look, None
        if look is not None:
            look()
        return self._picture

    def motion(self) -> Optional[MotionField]:
        """The motion field, None on I pictures."""
        if self._picture.kind == "I":
            return None
        mv, offset, intra, weighted = self.parsed.motion()
        return MotionField(mv, offset, intra, weighted, self._intact and bool(self._picture.exact))

    def weights(self) -> Optional[PredictionWeights]:
        """The prediction weights, None on I pictures."""
        return None if self._picture.kind == "I" else PredictionWeights(*self.parsed.weights())

    def residual(self) -> Optional[Residual]:
        """The coded residual in 8-bit units, None on I pictures."""
        planes = self.coded_residual()
        sequence = self._picture.sequence
        depths = sequence.bit_depth, sequence.bit_depth_chroma
        return None if planes is None else Residual(*differences_in_8_bits(planes, depths))

    def coded_residual(self) -> Optional[Tuple[NDArray[np.int16], ...]]:
        """The coded residual in the units of the stream's own samples, None on I pictures."""
        return None if self._picture.kind == "I" else self.parsed.residual()

    def planes(self) -> Optional[ShownPlanes]:
        """Its image's where the picture has one, None elsewhere; raises StreamError where FFmpeg gives none."""
        return None if self._imaged is None else self._imaged.planes(self._geometry)
