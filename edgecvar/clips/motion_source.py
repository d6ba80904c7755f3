"""What a sampled picture's motion, residual and intra blocks are: its own, or traced back to the I-picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.accumulation import Accumulation
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.stream.motion import velocity
from edgecvar.stream.types import CodedPicture, Residual, StreamInfo

if TYPE_CHECKING:
    from edgecvar.stream.native._core import Picture


class MotionSource:
    """Motion and residual of pictures of one stream, as the spec's `accumulate` says; intra blocks are their own.

    Plain: velocity in pixels a frame, and the picture's own residual. Accumulated (Wu et al. 2018, section 3.1):
    the displacement in pixels of each block since the I-picture it comes from, and the sum of the residuals along
    that path, which begins anew at a recovered picture too. Both follow the references in decode order; no pixel is
    decoded. Every picture must be pushed, and pushing raises StreamError where a picture's reference is not among those
    kept. What refers to a lost picture begins there, as at an I-picture.
    """

    def __init__(self, info: StreamInfo, spec: InputSpec, residual: bool = True) -> None:
        self._accumulation = Accumulation(info, residual) if spec.accumulate else None

    def push(self, picture: CodedPicture) -> None:
        """Take note of the next picture in decode order."""
        if self._accumulation is not None:
            self._accumulation.push(picture)

    def parsed(self, picture: CodedPicture) -> Optional[Picture]:
        """The native core's P or B picture where its own motion and residual are what is asked for, else None."""
        return None if self._accumulation is not None or picture.kind == "I" else picture.parsed

    def motion(self, picture: CodedPicture) -> NDArray[np.float32]:
        """float32 (H/4, W/4, xy) on the coded grid: pixels a frame, or pixels since the I-picture if accumulated."""
        if self._accumulation is not None:
            return self._accumulation.displacement(picture)
        if picture.motion is None:
            raise StreamError(f"picture {picture.decode_index} ({picture.kind}) has no motion vectors")
        return velocity(picture.motion)

    def residual(self, picture: CodedPicture) -> Residual:
        """The picture's residual, or the sum of residuals since the I-picture if accumulated."""
        if self._accumulation is not None:
            return self._accumulation.residual(picture)
        if picture.residual is None:
            raise StreamError(f"picture {picture.decode_index} ({picture.kind}) has no residual")
        return picture.residual

    def intra(self, picture: CodedPicture) -> NDArray[np.bool_]:
        """bool (H/4, W/4) on the coded grid: the picture's own intra blocks, accumulated or not."""
        if picture.motion is None:
            raise StreamError(f"picture {picture.decode_index} ({picture.kind}) has no motion vectors")
        return picture.motion.intra
