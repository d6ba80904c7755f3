"""What a sampled picture's motion and residual are: its own, or traced back to the I-picture."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.stream.motion import velocity
from edgecvar.stream.types import BLOCK, CodedPicture, MotionField, Residual, StreamInfo

if TYPE_CHECKING:
    from edgecvar.stream.native._h264 import Picture

KEPT = 34
"""Traces kept of pictures that may be referred to, those in use the longest: 16 that H.264 keeps, and 16 before."""
KEPT_UNUSED = 18
"""Traces kept of B-pictures that nothing has referred to yet."""


@dataclass(frozen=True)
class _Trace:
    """Of one picture: the decode index of its I-picture, displacement float32 (H/4, W/4, xy) and residual sums."""

    root: int
    displacement: NDArray[np.float32]
    residual: Optional[Residual]


class MotionSource:
    """Motion and residual of pictures of one stream, as the spec's `accumulate` says.

    Plain: velocity in pixels a frame, and the picture's own residual. Accumulated (Wu et al. 2018, section 3.1):
    the displacement in pixels of each block since the I-picture it comes from, and the sum of the residuals along
    that path, which begins anew at a recovered picture too. Both follow the references in decode order; no pixel is
    decoded. Every picture must be pushed, and pushing raises StreamError where a picture's reference is not among those
    kept. What refers to a lost picture begins there, as at an I-picture.
    """

    def __init__(self, info: StreamInfo, spec: InputSpec, residual: bool = True) -> None:
        self._accumulate = spec.accumulate
        self._want_residual = residual
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._unused: OrderedDict[int, _Trace] = OrderedDict()
        self._grid = (info.coded_height // BLOCK, info.coded_width // BLOCK)
        self._root = -1

    def push(self, picture: CodedPicture) -> None:
        """Take note of the next picture in decode order."""
        if not self._accumulate:
            return
        if picture.has_image:
            self._root = picture.decode_index
        motion = None if picture.has_image else picture.motion
        trace = self._origin() if motion is None else self._follow(picture, motion)
        kept = self._unused if picture.kind == "B" else self._traces
        kept[picture.display_index] = trace
        for traces, limit in ((self._traces, KEPT), (self._unused, KEPT_UNUSED)):
            while len(traces) > limit:
                traces.popitem(last=False)

    def parsed(self, picture: CodedPicture) -> Optional[Picture]:
        """The native core's P or B picture where its own motion and residual are what is asked for, else None."""
        return None if self._accumulate or picture.kind == "I" else picture.parsed

    def motion(self, picture: CodedPicture) -> NDArray[np.float32]:
        """float32 (H/4, W/4, xy) on the coded grid: pixels a frame, or pixels since the I-picture if accumulated."""
        if self._accumulate:
            return self._trace(picture).displacement
        if picture.motion is None:
            raise StreamError(f"picture {picture.decode_index} ({picture.kind}) has no motion vectors")
        return velocity(picture.motion)

    def residual(self, picture: CodedPicture) -> Residual:
        """The picture's residual, or the sum of residuals since the I-picture if accumulated."""
        residual = self._trace(picture).residual if self._accumulate else picture.residual
        if residual is None:
            raise StreamError(f"picture {picture.decode_index} ({picture.kind}) has no residual")
        return residual

    def _trace(self, picture: CodedPicture) -> _Trace:
        display_index = picture.display_index
        trace = self._unused.get(display_index) or self._traces.get(display_index)
        if trace is None:
            raise StreamError(f"picture {picture.decode_index} is not among the last {KEPT} that were pushed")
        return trace

    def _reference(self, picture: CodedPicture, offset: int, exact: bool) -> _Trace:
        place = picture.display_index + offset
        if place in self._unused:
            self._traces[place] = self._unused.pop(place)
        if place not in self._traces and not exact:
            return self._origin()
        if place not in self._traces:
            raise StreamError(
                f"picture {picture.decode_index} ({picture.kind}) refers to the one displayed as {place}, which is not "
                f"among the last {KEPT} in use: it cannot be accumulated; re-encode, or set accumulate to false"
            )
        self._traces.move_to_end(place)
        return self._traces[place]

    def _origin(self) -> _Trace:
        rows, columns = self._grid
        return _Trace(
            self._root,
            np.zeros((rows, columns, 2), np.float32),
            _zero_residual(rows * BLOCK, columns * BLOCK) if self._want_residual else None,
        )

    def _follow(self, picture: CodedPicture, motion: MotionField) -> _Trace:
        weights = self._list_weights(picture, motion)
        displacement = np.zeros((*self._grid, 2), np.float32)
        residual = picture.residual if self._want_residual else None
        sums = [plane.astype(np.float32) for plane in _planes(residual)] if residual is not None else []
        for direction in (0, 1):
            offsets = motion.ref_offset[direction]
            for offset in np.unique(offsets[weights[direction] > 0]):
                share = np.where(offsets == offset, weights[direction], np.float32(0))
                reference = self._reference(picture, int(offset), motion.exact)
                vectors = motion.mv_qpel[direction]
                path = _fetch(reference.displacement, vectors, BLOCK) - vectors.astype(np.float32) / 4
                displacement += share[..., None] * path
                if reference.residual is not None:
                    for plane, cell, total in zip(_planes(reference.residual), (1, 2, 2), sums):
                        fine = BLOCK // cell
                        total += _spread(share, fine) * _fetch(plane, _spread(vectors, fine), cell)
        summed = Residual(*(np.rint(plane).astype(np.int16) for plane in sums)) if sums else None
        return _Trace(self._root, displacement, summed)

    def _list_weights(self, picture: CodedPicture, motion: MotionField) -> NDArray[np.float32]:
        """(2, H/4, W/4): each list's share of the block; a list that leads to an older I-picture gives way."""
        used = (motion.ref_offset != 0) & ~motion.intra
        current = np.zeros_like(used)
        for offset in np.unique(motion.ref_offset[used]):
            if self._reference(picture, int(offset), motion.exact).root == self._root:
                current |= motion.ref_offset == offset
        preferred = used & current
        lists = np.where(preferred.any(axis=0), preferred, used)
        weights: NDArray[np.float32] = (lists / np.maximum(lists.sum(axis=0), 1)).astype(np.float32)
        return weights


def _fetch(source: NDArray[Any], vectors: NDArray[np.int16], cell: int) -> NDArray[np.float32]:
    """source (h, w, ...) at each entry's own centre displaced by its vector (quarter pixels), nearest, clamped."""
    rows, columns = source.shape[:2]
    y, x = np.indices((rows, columns), dtype=np.int32)
    # Whole entries of `cell` pixels, rounded to nearest.
    dx = (vectors[..., 0].astype(np.int32) + 2 * cell) // (4 * cell)
    dy = (vectors[..., 1].astype(np.int32) + 2 * cell) // (4 * cell)
    picked: NDArray[Any] = source[np.clip(y + dy, 0, rows - 1), np.clip(x + dx, 0, columns - 1)]
    return picked.astype(np.float32)


def _spread(blocks: NDArray[Any], times: int) -> NDArray[Any]:
    return blocks.repeat(times, axis=0).repeat(times, axis=1)


def _planes(residual: Residual) -> tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]:
    return residual.y, residual.cb, residual.cr


def _zero_residual(height: int, width: int) -> Residual:
    half = np.zeros((height // 2, width // 2), np.int16)
    return Residual(np.zeros((height, width), np.int16), half, half)
