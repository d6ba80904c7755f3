"""Samples between pixels in the MPEG family before H.264: half pixels, of MPEG-4 quarter pixels too."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.ffmpeg.prediction.padded import Blocks, PaddedPlane
from edgecvar.stream.planes import Plane, Planes, SampleFormat

_PAD = 24
_CHROMA_PAD = 16
# ISO/IEC 14496-2 table 7-9: sixteenths of a chroma pixel to half pixels.
_SIXTEENTHS = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2], np.int32)


class HalfPelSampler:
    """Bilinear half pixels; `rounding` 1 rounds averages down; `truncate` takes MPEG-1's halved chroma vectors.

    Without it chroma is 4:2:0; with it as MPEG-2 has it, of any `form`.
    """

    def __init__(self, planes: Planes, rounding: int, truncate: bool, form: SampleFormat) -> None:
        self._planes = [_bilinear_planes(p, pad, rounding) for p, pad in zip(planes, (_PAD, *2 * [_CHROMA_PAD]))]
        self._truncate = truncate
        self._form = form

    def predict(self, mv: NDArray[np.int16], where: NDArray[np.bool_]) -> Blocks:
        """Samples (n, rows, columns) of each plane in the cells of `where`; `mv` (rows, columns, 2) in quarter pels."""
        half = mv.astype(np.int32) // 2
        chroma = self._halved(half) if self._truncate else _macroblock_chroma(half)
        size = (8 // self._form.down, 8 // self._form.across) if self._form.across else (4, 4)
        luma = _at_half(self._planes[0], half, where, (8, 8))
        return (luma, *(_at_half(plane, chroma, where, size) for plane in self._planes[1:]))

    def _halved(self, half: NDArray[np.int32]) -> NDArray[np.int32]:
        """Chroma vectors where chroma has fewer samples than luma, along each axis by itself (13818-2, 7.6.3.7)."""
        sides = (self._form.across, self._form.down)
        parts = [half[..., axis] if side == 1 else _toward_zero(half[..., axis]) for axis, side in enumerate(sides)]
        return np.stack(parts, axis=-1)


class QuarterPelSampler:
    """MPEG-4 quarter pixels: eight taps mirrored at the block's own edges, then averages (section 7.6.2.2)."""

    def __init__(self, planes: Planes, rounding: int) -> None:
        self._luma = PaddedPlane.of(planes[0], _PAD)
        self._chroma = [_bilinear_planes(plane, _CHROMA_PAD, rounding) for plane in planes[1:]]
        self._rounding = rounding

    def predict(self, mv: NDArray[np.int16], where: NDArray[np.bool_]) -> Blocks:
        """y (n, 8, 8), cb and cr (n, 4, 4) of the cells of `where`; `mv` (rows, columns, 2) in quarter pixels.

        A macroblock whose four vectors are equal is filtered as one 16 x 16 block.
        """
        vector = mv.astype(np.int32)
        chroma = _macroblock_chroma(_toward_zero(vector))
        luma = self._luma_cells(vector, where)
        cb, cr = (_at_half(plane, chroma, where, (4, 4)) for plane in self._chroma)
        return luma, cb, cr

    def _luma_cells(self, vector: NDArray[np.int32], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
        rows, columns = where.shape
        quads = vector.reshape(rows // 2, 2, columns // 2, 2, 2)
        whole = (quads == quads[:, :1, :, :1]).all(axis=(1, 3, 4))
        cells = np.zeros((rows, columns, 8, 8), np.uint8)
        row, column = np.nonzero(whole & where[::2, ::2])
        big = self._filtered(16 * column, 16 * row, vector[2 * row, 2 * column], 16)
        for down in (0, 1):
            for across in (0, 1):
                part = big[:, 8 * down : 8 * down + 8, 8 * across : 8 * across + 8]
                cells[2 * row + down, 2 * column + across] = part
        row, column = np.nonzero(~whole.repeat(2, axis=0).repeat(2, axis=1) & where)
        cells[row, column] = self._filtered(8 * column, 8 * row, vector[row, column], 8)
        return cells[where]

    def _filtered(self, x: NDArray[Any], y: NDArray[Any], vector: NDArray[np.int32], side: int) -> NDArray[np.uint8]:
        size = (side + 1, side + 1)
        patch = self._luma.blocks(0, x + (vector[:, 0] >> 2), y + (vector[:, 1] >> 2), size)
        flat = self._quarter(patch.astype(np.int16), vector[:, 0] & 3, 2)
        return self._quarter(flat, vector[:, 1] & 3, 1).astype(np.uint8)

    def _quarter(self, samples: NDArray[np.int16], phase: NDArray[Any], axis: int) -> NDArray[np.int16]:
        """One direction: n + 1 samples to n, each at `phase` quarters past its own."""
        samples = np.moveaxis(samples, axis, -1)
        here, following = samples[..., :-1], samples[..., 1:]
        half = _eight_taps(samples, self._rounding)
        up = 1 - self._rounding
        choices = [here, (here + half + up) >> 1, half, (following + half + up) >> 1]
        at = phase[:, None, None]
        quarter: NDArray[np.int16] = np.select([at == n for n in range(4)], choices)
        return np.moveaxis(quarter, -1, axis)


def _eight_taps(samples: NDArray[np.int16], rounding: int) -> NDArray[np.int16]:
    """(-1, 3, -6, 20, 20, -6, 3, -1) / 32 between samples, mirrored at both ends of the last axis."""
    count = samples.shape[-1] - 1
    wide = np.concatenate([samples[..., 2::-1], samples, samples[..., :-4:-1]], axis=-1)
    total = np.zeros((*samples.shape[:-1], count), np.int16)
    for place, tap in enumerate((-1, 3, -6, 20, 20, -6, 3, -1)):
        total += tap * wide[..., place : place + count]
    filtered: NDArray[np.int16] = np.clip((total + 16 - rounding) >> 5, 0, 255)
    return filtered


def _bilinear_planes(plane: Plane, pad: int, rounding: int) -> PaddedPlane:
    """Integer samples and their averages across, down and over four: (4, H + 2 pad, W + 2 pad)."""
    wide = np.pad(plane, ((pad, pad + 1), (pad, pad + 1)), mode="edge").astype(np.int16)
    here, right = wide[:-1, :-1], wide[:-1, 1:]
    below, corner = wide[1:, :-1], wide[1:, 1:]
    up = 1 - rounding
    averages = (
        here,
        (here + right + up) >> 1,
        (here + below + up) >> 1,
        (here + right + below + corner + 1 + up) >> 2,
    )
    return PaddedPlane(np.stack(averages).astype(np.uint8), plane.shape, pad)


def _at_half(
    plane: PaddedPlane, vector: NDArray[np.int32], where: NDArray[np.bool_], size: Tuple[int, int]
) -> NDArray[np.uint8]:
    row, column = np.nonzero(where)
    vectors = vector[row, column]
    phase = (vectors[:, 0] & 1) + 2 * (vectors[:, 1] & 1)
    x, y = size[1] * column + (vectors[:, 0] >> 1), size[0] * row + (vectors[:, 1] >> 1)
    return plane.blocks(phase, x, y, size)


def _toward_zero(vector: NDArray[np.int32]) -> NDArray[np.int32]:
    """Half of each number, rounded toward zero."""
    halved: NDArray[np.int32] = np.sign(vector) * (np.abs(vector) >> 1)
    return halved


def _macroblock_chroma(half: NDArray[np.int32]) -> NDArray[np.int32]:
    """Chroma vectors in half pixels from the sum of a macroblock's four luma vectors (section 7.6.5)."""
    rows, columns = half.shape[:2]
    total = half.reshape(rows // 2, 2, columns // 2, 2, 2).sum(axis=(1, 3))
    chroma: NDArray[np.int32] = _SIXTEENTHS[total & 15] + 2 * (total >> 4)
    return chroma.repeat(2, axis=0).repeat(2, axis=1)
