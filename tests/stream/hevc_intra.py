"""Whether intra blocks are what some intra prediction of HEVC (section 8.4.4.2) gives, plus their residual."""

from __future__ import annotations

from typing import Tuple

import numpy as np

PLANAR, DC, HORIZONTAL, VERTICAL = 0, 1, 10, 26
_ANGLES = (32, 26, 21, 17, 13, 9, 5, 2, 0, -2, -5, -9, -13, -17, -21, -26)
ANGLES = (*_ANGLES, -32, *_ANGLES[:0:-1], 32)
"""intraPredAngle of modes 2 to 34 (Table 8-5)."""
_SMOOTHED_BEYOND = {8: 7, 16: 1, 32: 0}


def explained(
    samples: np.ndarray, residual: np.ndarray, intra: np.ndarray, order: np.ndarray, depth: int, luma: bool
) -> np.ndarray:
    """By sample of a plane the side of the largest block that explains it, 0 where none does or it is not intra.

    A block does where some mode, predicted from what was decoded before it, gives its samples with its residual.
    `intra` and `order`, the place in decoding order, are those of 4x4 luma blocks; one slice, one tile.
    """
    height, width = samples.shape
    side = 4 if luma else 2
    inside = intra.repeat(side, 0).repeat(side, 1)
    found = np.zeros(samples.shape, np.int32)
    for size in (4, 8, 16, 32):
        top, left = (v.ravel() for v in np.mgrid[: height - size + 1 : size, : width - size + 1 : size])
        rows, columns = np.arange(size)[:, None] + top[:, None, None], np.arange(size) + left[:, None, None]
        whole = inside[rows, columns].all(axis=(1, 2))
        rows, columns, top, left = rows[whole], columns[whole], top[whole], left[whole]
        if not len(top):
            continue
        border = _border(samples, order, (top, left), size, depth, side)
        target, coded = samples[rows, columns].astype(np.int32), residual[rows, columns]
        for mode in range(35):
            made = np.clip(predicted(border, mode, size, depth, luma) + coded, 0, (1 << depth) - 1)
            right = (made == target).all(axis=(1, 2))
            found[rows[right], columns[right]] = size
    return found


def _border(
    samples: np.ndarray, order: np.ndarray, at: Tuple[np.ndarray, np.ndarray], size: int, depth: int, side: int
) -> np.ndarray:
    """(n, 4 size + 1) neighbours from the left below over the corner to the right above, missing ones substituted."""
    top, left = at
    up, along = np.arange(2 * size - 1, -1, -1), np.arange(2 * size)
    y = np.concatenate([up, [-1], np.full(2 * size, -1)]) + top[:, None]
    x = np.concatenate([np.full(2 * size, -1), [-1], along]) + left[:, None]
    height, width = samples.shape
    there = (y >= 0) & (x >= 0) & (y < height) & (x < width)
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    there &= order[y // side, x // side] < order[top // side, left // side][:, None]
    last = np.maximum.accumulate(np.where(there, np.arange(4 * size + 1), -1), axis=1)
    last = np.where(last < 0, there.argmax(axis=1)[:, None], last)
    taken = np.take_along_axis(samples[y, x].astype(np.int32), last, 1)
    return np.where(there.any(axis=1)[:, None], taken, 1 << (depth - 1))


def _smoothed(border: np.ndarray, mode: int, size: int, depth: int) -> np.ndarray:
    """8.4.4.2.3, with strong_intra_smoothing_enabled_flag."""
    if mode == DC or size == 4 or min(abs(mode - VERTICAL), abs(mode - HORIZONTAL)) <= _SMOOTHED_BEYOND[size]:
        return border
    made = border.copy()
    made[:, 1:-1] = (border[:, :-2] + 2 * border[:, 1:-1] + border[:, 2:] + 2) >> 2
    if size == 32:
        below, corner, above = border[:, :1], border[:, 64:65], border[:, 128:]
        flat = np.abs(below + corner - 2 * border[:, 32:33]) < 1 << (depth - 5)
        flat &= np.abs(above + corner - 2 * border[:, 96:97]) < 1 << (depth - 5)
        k = np.arange(1, 64)
        strong = border.copy()
        strong[:, 1:64] = (k * corner + (64 - k) * below + 32) >> 6
        strong[:, 65:128] = ((64 - k) * corner + k * above + 32) >> 6
        made = np.where(flat, strong, made)
    return made


def predicted(border: np.ndarray, mode: int, size: int, depth: int, luma: bool) -> np.ndarray:
    """predSamples (n, size, size) of one mode (8.4.4.2.4 to 8.4.4.2.6)."""
    if luma:
        border = _smoothed(border, mode, size, depth)
    left, above = border[:, 2 * size - 1 :: -1], border[:, 2 * size + 1 :]  # from the corner on
    rim = luma and size < 32
    if mode == PLANAR:
        x, y = np.arange(size), np.arange(size)[:, None]
        total = (size - 1 - x) * left[:, :size, None] + (x + 1) * above[:, size, None, None]
        total = total + (size - 1 - y) * above[:, None, :size] + (y + 1) * left[:, size, None, None]
        return np.asarray((total + size) >> size.bit_length())
    if mode == DC:
        mean = (left[:, :size].sum(axis=1) + above[:, :size].sum(axis=1) + size) >> size.bit_length()
        made = np.tile(mean[:, None, None], (1, size, size))
        if rim:
            made[:, 0, 1:] = (above[:, 1:size] + 3 * mean[:, None] + 2) >> 2
            made[:, 1:, 0] = (left[:, 1:size] + 3 * mean[:, None] + 2) >> 2
            made[:, 0, 0] = (left[:, 0] + 2 * mean + above[:, 0] + 2) >> 2
        return made
    corner = border[:, 2 * size : 2 * size + 1]
    if mode < 18:
        return _angular(left, above, corner, mode, rim and mode == HORIZONTAL, depth).swapaxes(1, 2)
    return _angular(above, left, corner, mode, rim and mode == VERTICAL, depth)


def _angular(main: np.ndarray, other: np.ndarray, corner: np.ndarray, mode: int, rim: bool, depth: int) -> np.ndarray:
    """Rows from `main`, the neighbours above; of horizontal modes all is transposed."""
    size = main.shape[1] // 2
    angle = ANGLES[mode - 2]
    reference = np.concatenate([np.repeat(corner, size, axis=1), corner, main], axis=1)  # entry x + size is ref[x]
    if size * angle >> 5 < -1:
        inverse = round(8192 / angle)
        for x in range(size * angle >> 5, 0):
            at = (x * inverse + 128 >> 8) - 1
            reference[:, x + size] = other[:, at] if at >= 0 else corner[:, 0]
    made = np.empty((len(main), size, size), np.int32)
    for y in range(size):
        whole, part = (y + 1) * angle >> 5, (y + 1) * angle & 31
        first = size + whole + 1
        near, far = reference[:, first : first + size], reference[:, first + 1 : first + 1 + size]
        made[:, y] = ((32 - part) * near + part * far + 16) >> 5 if part else near
    if rim:
        made[:, :, 0] = np.clip(main[:, :1] + ((other[:, :size] - corner) >> 1), 0, (1 << depth) - 1)
    return made
