"""The tests' own H.264 inter prediction for whole pictures (section 8.4.2): shares no code with the package's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np

from edgecvar.stream.types import MotionField

_PAD = 16
_WORDS = {1: np.uint32, 2: np.uint64}  # four samples in one


class TruePicture:
    """One picture, its planes y, cb, cr (uint8, or uint16 above 8 bit; y alone for 4:0:0), to predict others from.

    Luma is kept at all 16 quarter-sample positions, each made for the whole picture when first needed.
    """

    def __init__(self, planes: Sequence[np.ndarray], maximum: int = 255) -> None:
        self.planes = tuple(planes)
        self.maximum = maximum
        self._quarters: Optional[np.ndarray] = None
        self._made: Set[Tuple[int, int]] = set()
        self._halves: Dict[str, np.ndarray] = {}
        self._chroma: Optional[np.ndarray] = None

    @property
    def raw(self) -> int:
        """Bytes of its samples."""
        return sum(plane.nbytes for plane in self.planes)

    @property
    def derived(self) -> int:
        """Bytes of what was made from them."""
        held = sum(array.nbytes for array in self._halves.values())
        return held + sum(a.nbytes for a in (self._quarters, self._chroma) if a is not None)

    def forget(self) -> None:
        """Lets go of what can be made again."""
        self._quarters = self._chroma = None
        self._made.clear()
        self._halves.clear()

    def luma(self, x: np.ndarray, y: np.ndarray, mv: np.ndarray) -> np.ndarray:
        """Words (n, 4), each a row of four samples, of the 4x4 blocks at (x, y) with vectors (n, 2) in quarters."""
        height, width = self.planes[0].shape
        across, down = mv[:, 0] & 3, mv[:, 1] & 3
        for phase in np.unique(down * 4 + across):
            self._make(int(phase) & 3, int(phase) >> 2)
        assert self._quarters is not None
        # from 12 samples outside on, every sample that a block needs is the edge's
        left = np.clip(x + (mv[:, 0] >> 2), -12, width + 8) + _PAD
        top = np.clip(y + (mv[:, 1] >> 2), -12, height + 8) + _PAD
        _, rows, pitch = self._quarters.shape
        start = ((down * 4 + across) * rows + top) * pitch + left
        return _words(self._quarters)[start[:, None] + pitch * np.arange(4)]

    def chroma(self, x: np.ndarray, y: np.ndarray, mv: np.ndarray) -> np.ndarray:
        """Samples (n, 2 rows, 2 columns, cb and cr) of the 2x2 blocks at chroma (x, y), mv in eighths (8.4.2.2.2)."""
        if self._chroma is None:
            both = np.stack(self.planes[1:], axis=-1)
            self._chroma = np.pad(both, ((8, 8), (8, 8), (0, 0)), mode="edge")
        height, width = self.planes[1].shape
        left = np.clip(x + (mv[:, 0] >> 3), -4, width + 2) + 8
        top = np.clip(y + (mv[:, 1] >> 3), -4, height + 2) + 8
        pitch = self._chroma.shape[1]
        start = ((top * pitch + left) * 2)[:, None] + 2 * pitch * np.arange(3)
        words, samples = _words(self._chroma), self._chroma.dtype
        near = words[start].view(samples).reshape(-1, 3, 2, 2).astype(np.uint16)
        far = words[start + 2].view(samples).reshape(-1, 3, 2, 2).astype(np.uint16)
        a, b = ((mv[:, which] & 7).astype(np.uint16)[:, None, None, None] for which in (0, 1))
        line = (8 - a) * near + a * far  # below 8 * 1024
        total = (8 - b) * line[:, :-1] + b * line[:, 1:]  # below 64 * 1023 + 1, so 16 bits hold it and 32
        return ((total + np.uint16(32)) >> 6).astype(samples)

    def _make(self, across: int, down: int) -> None:
        """Fills one of the 16 positions: Table 8-12 and the averages of equations 8-250 to 8-261."""
        if self._quarters is None:
            height, width = self.planes[0].shape
            self._quarters = np.zeros((16, height + 2 * _PAD, width + 2 * _PAD), self.planes[0].dtype)
        if (across, down) in self._made:
            return
        right, below = (0, across == 3), (down == 3, 0)  # (rows, columns) to the next integer sample
        if across % 2 == 0 and down % 2 == 0:
            made = self._half({(0, 0): "G", (2, 0): "b", (0, 2): "h", (2, 2): "j"}[across, down])
        elif down == 0:
            made = _average(self._half("G", *right), self._half("b"))
        elif across == 0:
            made = _average(self._half("G", *below), self._half("h"))
        elif across == 2:
            made = _average(self._half("b", *below), self._half("j"))
        elif down == 2:
            made = _average(self._half("h", *right), self._half("j"))
        else:
            made = _average(self._half("b", *below), self._half("h", *right))
        self._quarters[down * 4 + across] = made
        self._made.add((across, down))

    def _half(self, name: str, down: int = 0, right: int = 0) -> np.ndarray:
        """G, b, h or j at every padded integer position, (H + 32, W + 32), or at the one below or to the right."""
        if not self._halves:
            self._halves["G"] = np.pad(self.planes[0], _PAD + 3, mode="edge")
        if name not in self._halves:
            wide = self._halves["G"].astype(np.int32)
            middle = name == "j"
            made = _taps(_taps(wide, 0), 1) if middle else _taps(wide, int(name == "b"))
            made = (made + 512) >> 10 if middle else (made + 16) >> 5
            made = np.clip(made, 0, self.maximum).astype(self.planes[0].dtype)
            # b lacks no rows and h no columns: all are brought to the size of G
            shape = self._halves["G"].shape
            self._halves[name] = np.pad(made, [(2, 3) if made.shape[k] < shape[k] else (0, 0) for k in (0, 1)], "edge")
        height, width = self.planes[0].shape
        plane = self._halves[name]
        return plane[3 + down : 3 + down + height + 2 * _PAD, 3 + right : 3 + right + width + 2 * _PAD]


def _taps(samples: np.ndarray, axis: int) -> np.ndarray:
    """The filter (1, -5, 20, 20, -5, 1) of equations 8-241 and 8-242: entry k lies between samples k + 2 and k + 3."""
    count = samples.shape[axis] - 5
    part = [samples[:, k : k + count] if axis else samples[k : k + count] for k in range(6)]
    return part[0] + part[5] - 5 * (part[1] + part[4]) + 20 * (part[2] + part[3])


def _average(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(one + other + 1) >> 1 without wider numbers."""
    return (one | other) - ((one ^ other) >> 1)


def _words(samples: np.ndarray) -> np.ndarray:
    """Four consecutive samples as one number, starting at each sample."""
    word = np.dtype(_WORDS[samples.itemsize])
    return np.ndarray((samples.size - 3,), word, samples, strides=(samples.itemsize,))


@dataclass
class Prediction:
    """Dense planes of one picture's inter prediction; `known` (H/4, W/4) is where all that it needs was there."""

    planes: List[np.ndarray]
    known: np.ndarray


def predict(
    motion: MotionField, weights: Optional[Any], display_index: int, references: Dict[int, TruePicture], planes: int
) -> Prediction:
    """What the picture shown as `display_index` is predicted to be, before the residual (8.4.2.2 and 8.4.2.3)."""
    some = next(iter(references.values()))
    samples, maximum = some.planes[0].dtype, some.maximum
    rows, columns = motion.intra.shape
    luma = np.zeros((2, rows, columns, 4), _WORDS[samples.itemsize])
    chroma = np.zeros((2, rows, columns, 2, 2, 2), samples)
    used = motion.ref_offset != 0
    known = used.any(axis=0)
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
            luma[which][where] = reference.luma(4 * column, 4 * row, mv)
            if planes > 1:
                chroma[which][where] = reference.chroma(2 * column, 2 * row, mv)
    blocks = [luma.view(samples).reshape(2, rows, columns, 4, 4)]
    blocks += [chroma[..., plane] for plane in range(planes - 1)]
    merged = []
    for plane, block in enumerate(blocks):
        block = _merge(block, used, motion.weighted, weights, plane, maximum)
        side = block.shape[-1]
        merged.append(block.transpose(0, 2, 1, 3).reshape(rows * side, columns * side))
    return Prediction(merged, known)


def _merge(
    blocks: np.ndarray, used: np.ndarray, weighted: np.ndarray, weights: Optional[Any], plane: int, maximum: int
) -> np.ndarray:
    """(rows, columns, side, side) from both lists' blocks: equations 8-262 to 8-266, the weighted by 8-297 to 8-299."""
    zero, one = (flag[:, :, None, None] for flag in used)
    merged = np.where(zero & one, _average(blocks[0], blocks[1]), np.where(one, blocks[1], blocks[0]))
    if weights is None or not weighted.any():
        return merged
    row, column = np.nonzero(weighted)
    p, uses = blocks[:, row, column].astype(np.int64), used[:, row, column]
    w = weights.weight[:, row, column, plane].astype(np.int64)[:, :, None, None]
    o = weights.offset[:, row, column, plane].astype(np.int64)[:, :, None, None]
    d = weights.log2_denominator[row, column, plane].astype(np.int64)[:, None, None]
    both = ((p[0] * w[0] + p[1] * w[1] + (1 << d)) >> (d + 1)) + ((o[0] + o[1] + 1) >> 1)
    single = [((p[k] * w[k] + ((1 << d) >> 1)) >> d) + o[k] for k in (0, 1)]
    uses = uses[:, :, None, None]
    value = np.where(uses[0] & uses[1], both, np.where(uses[1], single[1], single[0]))
    merged[row, column] = np.clip(value, 0, maximum)
    return merged
