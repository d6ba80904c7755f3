"""The tests' own HEVC inter prediction for whole pictures (section 8.5.3.3): shares no code with the package's."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from edgecvar.stream.types import MotionField
from tests.stream.h264_prediction import Prediction

_LUMA = ((0, 0, 0, 64, 0, 0, 0, 0), (-1, 4, -10, 58, 17, -5, 1, 0), (-1, 4, -11, 40, 40, -11, 4, -1))
LUMA_TAPS = (*_LUMA, _LUMA[1][::-1])
"""By quarter sample (Table 8-11): entry k is the tap of the sample k - 3 further on."""
_CHROMA = ((0, 64, 0, 0), (-2, 58, 10, -2), (-4, 54, 16, -2), (-6, 46, 28, -4), (-4, 36, 36, -4))
CHROMA_TAPS = (*_CHROMA, *(taps[::-1] for taps in _CHROMA[3:0:-1]))
"""By eighth of a sample (Table 8-12): entry k is the tap of the sample k - 1 further on."""
_PAD = 24
_CHUNK = 1 << 14  # blocks that are filtered at once: what they take stays in the cache


class TrueHevcPicture:
    """One picture, its planes y, cb, cr (uint8, or uint16 above 8 bit; y alone for 4:0:0), to predict others from."""

    def __init__(self, planes: Sequence[np.ndarray], maximum: int = 255) -> None:
        self.planes = tuple(planes)
        self.maximum = maximum
        self._padded: Dict[int, np.ndarray] = {}

    @property
    def depth(self) -> int:
        """BitDepth."""
        return self.maximum.bit_length()

    @property
    def raw(self) -> int:
        """Bytes of its samples."""
        return sum(plane.nbytes for plane in self.planes)

    @property
    def derived(self) -> int:
        """Bytes of what was made from them."""
        return sum(array.nbytes for array in self._padded.values())

    def forget(self) -> None:
        """Lets go of what can be made again."""
        self._padded.clear()

    def blocks(self, plane: int, x: np.ndarray, y: np.ndarray, mv: np.ndarray) -> np.ndarray:
        """predSamplesLX (side, side, n) of the 4x4 luma or 2x2 chroma blocks at (x, y), vectors (n, 2) in quarters."""
        taps, bits, side = (LUMA_TAPS, 2, 4) if plane == 0 else (CHROMA_TAPS, 3, 2)
        if plane not in self._padded:
            self._padded[plane] = np.pad(self.planes[plane], _PAD, mode="edge")
        padded = self._padded[plane]
        height, width = self.planes[plane].shape
        # from 12 samples outside on, every sample that a block needs is the edge's
        left = np.clip(x + (mv[:, 0] >> bits), -12, width + 8) + _PAD
        top = np.clip(y + (mv[:, 1] >> bits), -12, height + 8) + _PAD
        start = top * padded.shape[1] + left
        mask = (1 << bits) - 1
        phase = (mv[:, 1] & mask) << bits | (mv[:, 0] & mask)
        made = np.empty((side, side, len(x)), np.int16)
        for value in np.unique(phase):
            (which,) = np.nonzero(phase == value)
            across, down = taps[int(value) & mask], taps[int(value) >> bits]
            for part in np.array_split(which, len(which) // _CHUNK + 1):
                made[:, :, part] = _filtered(padded, start[part], side, (across, down), self.depth)
        return made


def _filtered(
    padded: np.ndarray, start: np.ndarray, side: int, taps: Tuple[Sequence[int], Sequence[int]], depth: int
) -> np.ndarray:
    """The samples (side, side, n) at 14 bits from those at `start`: equations 8-224 to 8-238 (luma), 8-242 on."""
    across, down = taps
    before = len(across) // 2 - 1
    moved = [sum(map(bool, direction)) > 1 for direction in taps]  # a whole sample is one tap of 64
    columns = np.arange(side + len(across) - 1) - before if moved[0] else np.arange(side)
    rows = np.arange(side + len(down) - 1) - before if moved[1] else np.arange(side)
    offsets = rows[:, None] * padded.shape[1] + columns
    samples = padded.ravel().take(offsets[:, :, None] + start).astype(np.int32)
    if not any(moved):
        return samples << (14 - depth)
    shift = depth - 8
    if moved[0]:
        samples = _tapped(samples.swapaxes(0, 1), across, side).swapaxes(0, 1) >> shift
        shift = 6
    return _tapped(samples, down, side) >> shift if moved[1] else samples


def _tapped(samples: np.ndarray, taps: Sequence[int], side: int) -> np.ndarray:
    """The weighted sum of neighbours along the first axis."""
    total = np.zeros((side, *samples.shape[1:]), np.int32)
    for first, tap in enumerate(taps):
        if tap:
            total += tap * samples[first : first + side]
    return total


def predict(
    motion: MotionField, weights: Optional[Any], display_index: int, references: Dict[int, Any], planes: int
) -> Prediction:
    """What the picture shown as `display_index` is predicted to be, before the residual (8.5.3.3)."""
    some = next(iter(references.values()))
    rows, columns = motion.intra.shape
    used = motion.ref_offset != 0
    known = used.any(axis=0)
    merged: List[np.ndarray] = []
    for plane in range(planes):
        side = 4 if plane == 0 else 2
        samples = np.zeros((2, side, side, rows, columns), np.int16)
        for which in (0, 1):
            for offset in np.unique(motion.ref_offset[which]):
                if offset == 0:
                    continue
                where = motion.ref_offset[which] == offset
                reference = references.get(display_index + int(offset))
                if reference is None:
                    known &= ~where
                    continue
                row, column = np.nonzero(where)
                mv = motion.mv_qpel[which][where].astype(np.int64)
                samples[which][:, :, where] = reference.blocks(plane, side * column, side * row, mv)
        block = _merge(samples, used, weights, plane, some.maximum)
        whole = block.transpose(2, 0, 3, 1).reshape(rows * side, columns * side)
        merged.append(whole.astype(some.planes[0].dtype))
    return Prediction(merged, known)


def _merge(samples: np.ndarray, used: np.ndarray, weights: Optional[Any], plane: int, maximum: int) -> np.ndarray:
    """(side, side, rows, columns) of both lists' blocks by equations 8-266 to 8-279; plain weighting is one of them.

    With weight 1, offset 0 and denominator 0 the explicit formulas are those of 8.5.3.3.4.2.
    """
    shift = 14 - maximum.bit_length()  # shift1 of 8.5.3.3.4.3
    if weights is None:
        w = np.ones(used.shape, np.int32)
        o, d = np.zeros(used.shape, np.int32), np.full(used.shape[1:], shift, np.int32)
    else:
        w, o = weights.weight[..., plane].astype(np.int32), weights.offset[..., plane].astype(np.int32)
        d = weights.log2_denominator[..., plane].astype(np.int32) + shift
    p = samples.astype(np.int32)
    single = [((p[k] * w[k] + (1 << (d - 1))) >> d) + o[k] for k in (0, 1)]
    both = (p[0] * w[0] + p[1] * w[1] + ((o[0] + o[1] + 1) << d)) >> (d + 1)
    value = np.where(used[0] & used[1], both, np.where(used[1], single[1], single[0]))
    return np.clip(value, 0, maximum)
