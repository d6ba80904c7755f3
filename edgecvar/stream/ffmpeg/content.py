"""What one decoded picture holds, computed when asked: vectors, residual, image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.colour import ShownPlanes, planes_of
from edgecvar.stream.ffmpeg.mpeg4_vectors import BackwardVectors
from edgecvar.stream.ffmpeg.prediction.residual import Sampler, SamplerStore, make_sampler, residual_of
from edgecvar.stream.ffmpeg.references import PredictionPlan
from edgecvar.stream.ffmpeg.side_data import exported_vectors
from edgecvar.stream.ffmpeg.undecided import drop_placeholders, settle_by_samples
from edgecvar.stream.ffmpeg.vector_grid import motion_field, vectors_to_grid
from edgecvar.stream.images.pictures import RecoveredPicture
from edgecvar.stream.planes import Geometry, Planes, SampleFormat, coded_planes, differences_in_420, sample_format
from edgecvar.stream.types import MotionField, PredictionWeights, Residual

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@dataclass(frozen=True)
class DecodedFrame:
    """One decoded frame: its number in decode order, its display index and the decoder's own frame."""

    number: int
    display_index: int
    frame: VideoFrame


class DecodedContent:
    """The lazy content of a picture that FFmpeg decoded; it holds its reference frames, never their contents.

    Intra blocks have residual 0: the decoder does not tell the intra prediction. H.264 partitions smaller than
    8 x 8 are exported as one vector per 8 x 8 block, the first one.
    """

    def __init__(
        self,
        current: DecodedFrame,
        references: Tuple[Optional[DecodedFrame], Optional[DecodedFrame]],
        kind: str,
        plan: PredictionPlan,
        geometry: Geometry,
        samplers: SamplerStore,
        recovered: Optional[RecoveredPicture] = None,
    ) -> None:
        self.parsed = None
        self.reference = True
        self._current = current
        self._references = references
        self._kind = kind
        self._plan = plan
        self._geometry = geometry
        self._samplers = samplers
        self._recovered = recovered
        self._motion: Optional[MotionField] = None

    def motion(self) -> Optional[MotionField]:
        """The motion field, None on I pictures."""
        if self._kind == "I":
            return None
        if self._motion is None:
            self._motion = self._read_motion()
        return self._motion

    def weights(self) -> Optional[PredictionWeights]:
        """None: the decoder does not tell the reference that a weight would belong to."""
        return None

    def residual(self) -> Optional[Residual]:
        """The coded residual in 8-bit 4:2:0, None on I pictures; raises StreamError as `coded_residual` does."""
        planes = self.coded_residual()
        return None if planes is None else Residual(*differences_in_420(planes, self._format))

    def coded_residual(self) -> Optional[Tuple[NDArray[np.int16], ...]]:
        """Picture minus prediction, in the planes and units of the stream's own format; None on I pictures.

        Raises StreamError where FFmpeg gives samples that are not read.
        """
        motion = self.motion()
        if motion is None:
            return None
        own = self._planes(self._current)
        samplers = (self._sampler(self._references[0]), self._sampler(self._references[1]))
        return residual_of(own, self._format, samplers, motion, self._plan.weighting)

    def planes(self) -> Optional[ShownPlanes]:
        """Those of an I picture and of one that completes a recovery, None elsewhere; raises StreamError."""
        if self._recovered is not None:
            # Not of the frame at hand: this decoder leaves the loop filter of all but I pictures out.
            return self._recovered.planes(self._geometry)
        return planes_of(self._current.frame, self._geometry) if self._kind == "I" else None

    def _read_motion(self) -> MotionField:
        rows, columns = self._geometry.coded_height // 8, self._geometry.coded_width // 8
        mv, used, split = vectors_to_grid(exported_vectors(self._current.frame), rows, columns)
        if self._plan.fields:
            mv[..., 1] *= 2  # lines of a field are two of the frame apart
        exact = self._plan.exact
        if self._kind == "B" and self._plan.interpolation == "h264":
            exact = self._settle(mv, used, split) and exact
        if self._plan.vectors is not None:
            mv, coded = self._fill(self._plan.vectors, mv, used)
            exact = exact and coded
        mv[~used] = 0
        first, second = (
            None if reference is None else reference.display_index - self._current.display_index
            for reference in self._references
        )
        return motion_field(mv, used, (first, second), self._plan.weighting, exact)

    def _settle(self, mv: NDArray[np.int16], used: NDArray[np.bool_], split: NDArray[np.bool_]) -> bool:
        zero, one = self._references
        if zero is None or one is None:
            return drop_placeholders(mv, used, split)
        own = self._planes(self._current)[0]
        lumas = (self._planes(zero)[0], self._planes(one)[0])
        return settle_by_samples(mv, used, split, own, lumas, self._plan.weighting.both, self._format.maximum)

    def _fill(
        self, vectors: BackwardVectors, mv: NDArray[np.int16], used: NDArray[np.bool_]
    ) -> Tuple[NDArray[np.int16], bool]:
        past, future = self._references
        if past is None or future is None:
            return mv, False
        now = self._current.display_index
        future_mv, _, _ = vectors_to_grid(exported_vectors(future.frame), *used.shape[1:])
        return vectors.fill(used, future_mv[0], (past.display_index - now, future.display_index - now))

    @property
    def _format(self) -> SampleFormat:
        return sample_format(self._current.frame)

    def _planes(self, decoded: DecodedFrame) -> Planes:
        return coded_planes(decoded.frame, self._geometry)

    def _sampler(self, reference: Optional[DecodedFrame]) -> Optional[Sampler]:
        if reference is None:
            return None
        plan = self._plan
        key = (reference.number, plan.interpolation, plan.rounding)
        return self._samplers.get(key, lambda: make_sampler(self._planes(reference), self._format, plan))
