"""H.264 samples between pixels: six taps for luma, or for 4:4:4 chroma, bilinear ones for other chroma (8.4.2.2)."""

from __future__ import annotations

from typing import Any, Type, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.ffmpeg.prediction.padded import Blocks, PaddedPlane
from edgecvar.stream.planes import Plane, Planes, SampleFormat

_Scalar = TypeVar("_Scalar", np.int16, np.int32)
_PAD = 16
_TAPS = 3

_INTEGER, _ACROSS, _DOWN, _MIDDLE = 0, 1, 2, 3
# By (y phase, x phase): the two planes whose average is the sample, each with the step (x, y) to its position.
# Table 8-12 names them a to s; a plane averaged with itself is itself.
_RECIPES = {
    (0, 0): ((_INTEGER, 0, 0), (_INTEGER, 0, 0)),
    (0, 1): ((_INTEGER, 0, 0), (_ACROSS, 0, 0)),
    (0, 2): ((_ACROSS, 0, 0), (_ACROSS, 0, 0)),
    (0, 3): ((_INTEGER, 1, 0), (_ACROSS, 0, 0)),
    (1, 0): ((_INTEGER, 0, 0), (_DOWN, 0, 0)),
    (1, 1): ((_ACROSS, 0, 0), (_DOWN, 0, 0)),
    (1, 2): ((_ACROSS, 0, 0), (_MIDDLE, 0, 0)),
    (1, 3): ((_ACROSS, 0, 0), (_DOWN, 1, 0)),
    (2, 0): ((_DOWN, 0, 0), (_DOWN, 0, 0)),
    (2, 1): ((_DOWN, 0, 0), (_MIDDLE, 0, 0)),
    (2, 2): ((_MIDDLE, 0, 0), (_MIDDLE, 0, 0)),
    (2, 3): ((_DOWN, 1, 0), (_MIDDLE, 0, 0)),
    (3, 0): ((_INTEGER, 0, 1), (_DOWN, 0, 0)),
    (3, 1): ((_ACROSS, 0, 1), (_DOWN, 0, 0)),
    (3, 2): ((_ACROSS, 0, 1), (_MIDDLE, 0, 0)),
    (3, 3): ((_ACROSS, 0, 1), (_DOWN, 1, 0)),
}
_TABLE = np.array([[_RECIPES[row, column] for column in range(4)] for row in range(4)], np.int32)


class H264Sampler:
    """Predicts 8 x 8 cells from one reference; half-sample planes are made once and shared by all its pictures."""

    def __init__(self, planes: Planes, form: SampleFormat) -> None:
        whole = len(planes) if form.across == 1 else 1  # 4:4:4 chroma is predicted as luma is (8.4.2.2)
        self._fine = [self._with_half_samples(plane, form.maximum) for plane in planes[:whole]]
        self._chroma = [PaddedPlane.of(plane, _PAD) for plane in planes[whole:]]
        self._form = form

    @staticmethod
    def _with_half_samples(plane: Plane, maximum: int) -> PaddedPlane:
        wide = np.pad(plane, _PAD + _TAPS, mode="edge").astype(_word(maximum))
        return PaddedPlane(_half_samples(wide, maximum), plane.shape, _PAD)

    def predict(self, mv: NDArray[np.int16], where: NDArray[np.bool_]) -> Blocks:
        """Samples (n, rows, columns) of each plane in the cells of `where`; `mv` (rows, columns, 2) in quarter pels."""
        row, column = np.nonzero(where)
        vector = mv[row, column].astype(np.int32)
        whole, phase = vector >> 2, vector & 3
        x, y = 8 * column + whole[:, 0], 8 * row + whole[:, 1]
        fine = [self._six_tap_blocks(plane, x, y, phase) for plane in self._fine]
        if not self._chroma:
            return tuple(fine)
        across, down = self._form.across, self._form.down
        height, width = 8 // down, 8 // across
        x = width * column + (vector[:, 0] >> (1 + across))
        y = height * row + (vector[:, 1] >> (1 + down))
        eighths = ((vector[:, 0] * 2 // across) & 7, (vector[:, 1] * 2 // down) & 7)
        weights = _bilinear(*eighths).astype(np.uint16 if self._form.bits <= 10 else np.uint32)
        return (*fine, *(_mix(plane.blocks(0, x, y, (height + 1, width + 1)), weights) for plane in self._chroma))

    @staticmethod
    def _six_tap_blocks(plane: PaddedPlane, x: NDArray[Any], y: NDArray[Any], phase: NDArray[Any]) -> Plane:
        recipe = _TABLE[phase[:, 1], phase[:, 0]]
        first, second = (
            plane.blocks(recipe[:, half, 0], x, y, (8, 8), recipe[:, half, 1], recipe[:, half, 2]) for half in (0, 1)
        )
        return _average(first, second)


def luma_of_cells(luma: Plane, maximum: int, mv: NDArray[np.int16], where: NDArray[np.bool_]) -> Plane:
    """What H264Sampler predicts for luma, (n, 8, 8), without making whole planes: for few cells."""
    row, column = np.nonzero(where)
    vector = mv[row, column].astype(np.int32)
    x = 8 * column[:, None] + (vector[:, :1] >> 2) + np.arange(-_TAPS, 9 + _TAPS)
    y = 8 * row[:, None] + (vector[:, 1:] >> 2) + np.arange(-_TAPS, 9 + _TAPS)
    x, y = np.clip(x, 0, luma.shape[1] - 1), np.clip(y, 0, luma.shape[0] - 1)
    patches = luma[y[:, :, None], x[:, None, :]].astype(_word(maximum))
    planes = _half_samples(patches, maximum)  # (4, n, 9, 9)
    recipe = _TABLE[vector[:, 1] & 3, vector[:, 0] & 3][..., None, None]
    block, side = np.arange(len(row))[:, None, None], np.arange(8)
    first, second = (
        planes[part[:, 0], block, part[:, 2] + side[:, None], part[:, 1] + side]
        for part in (recipe[:, 0], recipe[:, 1])
    )
    return _average(first, second)


def _word(maximum: int) -> Type[np.signedinteger[Any]]:
    """What holds the unrounded half samples of equation 8-241."""
    return np.int16 if maximum <= 255 else np.int32


def _average(first: Plane, second: Plane) -> Plane:
    """(a + b + 1) >> 1, in no wider numbers."""
    averaged: Plane = (first | second) - ((first ^ second) >> 1)
    return averaged


def _half_samples(wide: NDArray[Any], maximum: int) -> NDArray[Any]:
    """Integer samples and the half samples b, h, j of equations 8-241 to 8-247: (4, ..., H - 6, W - 6)."""
    inner = slice(_TAPS, -_TAPS)
    across = _six_taps(wide[..., inner, :], -1)
    down = _six_taps(wide[..., inner], -2)
    tall = _six_taps(wide, -1).astype(np.int32)
    middle = (_six_taps(tall, -2) + 512) >> 10
    planes = (wide[..., inner, inner], (across + 16) >> 5, (down + 16) >> 5, middle)
    return np.stack([np.clip(plane, 0, maximum).astype(np.uint8 if maximum <= 255 else np.uint16) for plane in planes])


def _six_taps(samples: NDArray[_Scalar], axis: int) -> NDArray[_Scalar]:
    """(1, -5, 20, 20, -5, 1) between each sample and the next; the axis loses three entries at either end."""
    count = samples.shape[axis] - 6

    def tap(offset: int) -> NDArray[_Scalar]:
        start = 3 + offset
        part = slice(start, start + count)
        return samples[..., part] if axis == -1 else samples[..., part, :]

    total: NDArray[_Scalar] = tap(0) + tap(1)
    total *= 4
    total -= tap(-1)
    total -= tap(2)
    total *= 5
    total += tap(-2)
    total += tap(3)
    return total


def _bilinear(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """The four weights (4, n, 1, 1) of equation 8-270."""
    weights = np.stack([(8 - x) * (8 - y), x * (8 - y), (8 - x) * y, x * y])
    return weights[:, :, None, None]


def _mix(patch: Plane, weights: NDArray[Any]) -> Plane:
    """In the word of `weights`, which holds 64 times the greatest sample and 32."""
    total: NDArray[Any] = patch[:, :-1, :-1] * weights[0]
    total += patch[:, :-1, 1:] * weights[1]
    total += patch[:, 1:, :-1] * weights[2]
    total += patch[:, 1:, 1:] * weights[3]
    total += 32
    total >>= 6
    return total.astype(patch.dtype)
