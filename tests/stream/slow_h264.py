"""H.264 inter prediction, sample by sample, from the equations of section 8.4.2.2: a second, slow way to it."""

from __future__ import annotations

from typing import Sequence

import numpy as np


class SlowReference:
    """One reference picture: its planes, read with clamped positions."""

    def __init__(self, planes: Sequence[np.ndarray], maximum: int = 255) -> None:
        self._planes = [plane.tolist() for plane in planes]
        self._maximum = maximum
        self._halves: dict = {}

    def _at(self, plane: int, x: int, y: int) -> int:
        rows = self._planes[plane]
        y = 0 if y < 0 else len(rows) - 1 if y >= len(rows) else y
        x = 0 if x < 0 else len(rows[0]) - 1 if x >= len(rows[0]) else x
        return rows[y][x]

    @staticmethod
    def _tap(values: Sequence[int]) -> int:
        e, f, g, h, i, j = values
        return e - 5 * f + 20 * g + 20 * h - 5 * i + j

    def _row(self, plane: int, x: int, y: int) -> int:
        """b1: between (x, y) and (x + 1, y), unrounded."""
        return self._tap([self._at(plane, x + k, y) for k in range(-2, 4)])

    def _half(self, plane: int, kind: str, x: int, y: int) -> int:
        key = (plane, kind, x, y)
        if key not in self._halves:
            if kind == "b":
                value = (self._row(plane, x, y) + 16) >> 5
            elif kind == "h":
                value = (self._tap([self._at(plane, x, y + k) for k in range(-2, 4)]) + 16) >> 5
            else:
                value = (self._tap([self._row(plane, x, y + k) for k in range(-2, 4)]) + 512) >> 10
            self._halves[key] = min(self._maximum, max(0, value))
        return self._halves[key]

    def luma(self, x: int, y: int, mv_x: int, mv_y: int, plane: int = 0) -> int:
        """The sample that predicts luma (x, y) with a vector in quarter pixels; of 4:4:4 that of any plane."""
        x, y, across, down = x + (mv_x >> 2), y + (mv_y >> 2), mv_x & 3, mv_y & 3
        whole = self._at(plane, x, y)
        if (across, down) == (0, 0):
            return whole
        b, h, j = (
            (lambda: self._half(plane, "b", x, y)),
            (lambda: self._half(plane, "h", x, y)),
            (lambda: self._half(plane, "j", x, y)),
        )
        s, m = (lambda: self._half(plane, "b", x, y + 1)), (lambda: self._half(plane, "h", x + 1, y))
        pairs = {
            (1, 0): (lambda: whole, b),
            (3, 0): (lambda: self._at(plane, x + 1, y), b),
            (0, 1): (lambda: whole, h),
            (0, 3): (lambda: self._at(plane, x, y + 1), h),
            (1, 1): (b, h),
            (3, 1): (b, m),
            (1, 3): (h, s),
            (3, 3): (m, s),
            (2, 1): (b, j),
            (2, 3): (s, j),
            (1, 2): (h, j),
            (3, 2): (m, j),
        }
        single = {(2, 0): b, (0, 2): h, (2, 2): j}
        if (across, down) in single:
            return single[across, down]()
        first, second = pairs[across, down]
        return (first() + second() + 1) >> 1

    def chroma(self, plane: int, x: int, y: int, mv_x: int, mv_y: int, tall: bool = False) -> int:
        """The sample that predicts chroma (x, y) with its block's luma vector, here eighths of a chroma pixel.

        `tall`: 4:2:2, whose chroma has as many rows as luma, so that the vector is in quarters down.
        """
        mv_y = 2 * mv_y if tall else mv_y
        x, y, a, b = x + (mv_x >> 3), y + (mv_y >> 3), mv_x & 7, mv_y & 7
        total = (8 - a) * (8 - b) * self._at(plane, x, y) + a * (8 - b) * self._at(plane, x + 1, y)
        total += (8 - a) * b * self._at(plane, x, y + 1) + a * b * self._at(plane, x + 1, y + 1)
        return (total + 32) >> 6
