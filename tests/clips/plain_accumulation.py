"""Accumulation (Wu et al. 2018, section 3.1) as a plain statement in numpy: what the native core is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List

import numpy as np

from edgecvar.stream.types import BLOCK, CodedPicture, MotionField, StreamInfo


@dataclass(frozen=True)
class PlainTrace:
    """Of one picture: its I-picture, displacement float32 (H/4, W/4, xy), planes of the residual."""

    root: int
    displacement: np.ndarray
    planes: List[np.ndarray]


class PlainAccumulation:
    """Every picture's trace; all are kept but those that the stream says nothing refers to."""

    def __init__(self, info: StreamInfo) -> None:
        self._grid = (info.coded_height // BLOCK, info.coded_width // BLOCK)
        self._traces: Dict[int, PlainTrace] = {}
        self._root = -1

    def push(self, picture: CodedPicture) -> PlainTrace:
        if picture.has_image:
            self._root = picture.decode_index
        motion = None if picture.has_image else picture.motion
        trace = self._origin() if motion is None else self._follow(picture, motion)
        if picture.has_image or picture.parsed is None or picture.parsed.reference:
            self._traces[picture.display_index] = trace
        return trace

    def _origin(self) -> PlainTrace:
        rows, columns = self._grid
        luma, half = (rows * 4, columns * 4), (rows * 2, columns * 2)
        planes = [np.zeros(shape, np.int16) for shape in (luma, half, half)]
        return PlainTrace(self._root, np.zeros((rows, columns, 2), np.float32), planes)

    def _reference(self, picture: CodedPicture, offset: int, exact: bool) -> PlainTrace:
        place = picture.display_index + offset
        return self._traces[place] if exact else self._traces.get(place) or self._origin()

    def _follow(self, picture: CodedPicture, motion: MotionField) -> PlainTrace:
        weights = self._list_weights(picture, motion)
        displacement = np.zeros((*self._grid, 2), np.float32)
        residual = picture.residual
        assert residual is not None
        sums = [plane.astype(np.float64) for plane in (residual.y, residual.cb, residual.cr)]
        for direction in (0, 1):
            offsets = motion.ref_offset[direction]
            for offset in np.unique(offsets[weights[direction] > 0]):
                share = np.where(offsets == offset, weights[direction], np.float32(0))
                reference = self._reference(picture, int(offset), motion.exact)
                vectors = motion.mv_qpel[direction]
                path = _fetch(reference.displacement, vectors, BLOCK) - vectors.astype(np.float32) / 4
                displacement += share[..., None] * path
                for plane, cell, total in zip(reference.planes, (1, 2, 2), sums):
                    fine = BLOCK // cell
                    total += _spread(share, fine) * _fetch(plane, _spread(vectors, fine), cell)
        limits = np.iinfo(np.int16)
        summed = [np.clip(np.rint(plane), limits.min, limits.max).astype(np.int16) for plane in sums]
        return PlainTrace(self._root, displacement, summed)

    def _list_weights(self, picture: CodedPicture, motion: MotionField) -> np.ndarray:
        """(2, H/4, W/4): each list's share of the block; a list that leads to an older I-picture gives way."""
        used = (motion.ref_offset != 0) & ~motion.intra
        current = np.zeros_like(used)
        for offset in np.unique(motion.ref_offset[used]):
            if self._reference(picture, int(offset), motion.exact).root == self._root:
                current |= motion.ref_offset == offset
        preferred = used & current
        lists = np.where(preferred.any(axis=0), preferred, used)
        return (lists / np.maximum(lists.sum(axis=0), 1)).astype(np.float32)


def _fetch(source: np.ndarray, vectors: np.ndarray, cell: int) -> np.ndarray:
    """source (h, w, ...) at each entry's own centre displaced by its vector (quarter pixels), nearest, clamped."""
    rows, columns = source.shape[:2]
    y, x = np.indices((rows, columns), dtype=np.int32)
    # Whole entries of `cell` pixels, rounded to nearest.
    dx = (vectors[..., 0].astype(np.int32) + 2 * cell) // (4 * cell)
    dy = (vectors[..., 1].astype(np.int32) + 2 * cell) // (4 * cell)
    return source[np.clip(y + dy, 0, rows - 1), np.clip(x + dx, 0, columns - 1)].astype(np.float32)


def _spread(blocks: np.ndarray, times: int) -> np.ndarray:
    return blocks.repeat(times, axis=0).repeat(times, axis=1)
