"""The vectors of MPEG-4 part 2 B pictures, read from the bitstream: FFmpeg exports which lists, with zero vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.ffmpeg.headers.mpeg4_macroblocks import BACKWARD, BOTH, DIRECT, FORWARD, CodedPlane
from edgecvar.stream.nal.bits import HeaderEnded

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class BackwardVectors:
    """What the vectors of a B-VOP follow from: its own macroblocks, and those of the anchors before and after it.

    A plane is None where its macroblocks cannot be read (interlaced, global motion, data partitioning).
    """

    plane: Optional[CodedPlane]
    past: Optional[CodedPlane]
    future: Optional[CodedPlane]

    def fill(
        self, used: NDArray[np.bool_], future_mv: NDArray[np.int16], distances: Tuple[int, int]
    ) -> Tuple[NDArray[np.int16], bool]:
        """The vectors (2, rows, columns, 2) in quarter pixels, and whether they are the coded ones.

        `used` is what FFmpeg exports of this picture, `future_mv` (rows, columns, 2) the vectors of the next anchor,
        `distances` how many pictures away the anchors are shown. Where the bitstream cannot be followed, the next
        anchor's vectors scaled in time stand in, and False is returned.
        """
        coded = self._coded(used, future_mv)
        if coded is not None:
            return coded, True
        reach, span = -distances[0], distances[1] - distances[0]
        pair = _direct(future_mv.astype(np.int32), np.zeros(future_mv.shape, np.int32), reach, span)
        return np.stack(pair).astype(np.int16), False

    def _coded(self, used: NDArray[np.bool_], future_mv: NDArray[np.int16]) -> Optional[NDArray[np.int16]]:
        if self.plane is None or self.past is None or self.future is None:
            return None
        try:
            modes, vectors = self.plane.modes_and_vectors(self.future.skipped)
        except (HeaderEnded, IndexError):
            return None
        modes, vectors = _to_cells(modes), _to_cells(vectors)
        if not _agrees(modes, used):
            return None
        unit = 1 if self.plane.quarter else 2
        reach, span = self.plane.time - self.past.time, self.future.time - self.past.time
        forward, backward = _direct(future_mv.astype(np.int32) // unit, vectors[:, :, 0], reach, span)
        direct = (modes == DIRECT)[..., None]
        to_past = np.isin(modes, (FORWARD, BOTH))[..., None]
        to_future = np.isin(modes, (BACKWARD, BOTH))[..., None]
        lists = (
            np.where(direct, forward, vectors[:, :, 0] * to_past),
            np.where(direct, backward, vectors[:, :, 1] * to_future),
        )
        return (np.stack(lists) * unit).astype(np.int16)


def _direct(
    colocated: NDArray[np.int32], correction: NDArray[np.int32], reach: int, span: int
) -> Tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Direct mode (section 7.6.9.5): the next anchor's vectors scaled in time, plus the coded correction.

    `reach` is the time from the past anchor to this picture, `span` to the next anchor.
    """
    forward = _divided(reach * colocated, span) + correction
    scaled = _divided((reach - span) * colocated, span)
    return forward, np.where(correction == 0, scaled, forward - colocated)


def _agrees(modes: NDArray[np.int8], used: NDArray[np.bool_]) -> bool:
    """Whether the walk finds the lists that FFmpeg found: after one wrong bit it would not."""
    first, second = modes != BACKWARD, np.isin(modes, (DIRECT, BOTH, BACKWARD))
    return bool((first == used[0]).all() and (second == used[1]).all())


def _to_cells(macroblocks: NDArray[_Scalar]) -> NDArray[_Scalar]:
    return macroblocks.repeat(2, axis=0).repeat(2, axis=1)


def _divided(number: NDArray[np.int32], by: int) -> NDArray[np.int32]:
    """Division that rounds toward zero; 0 where the distances make no sense."""
    return np.sign(number) * (np.abs(number) // by) if by > 0 else np.zeros_like(number)
