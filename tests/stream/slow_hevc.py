"""HEVC inter prediction, sample by sample, from the equations of section 8.5.3.3: a second, slow way to it."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np

_LUMA = {
    1: lambda s: -s[0] + 4 * s[1] - 10 * s[2] + 58 * s[3] + 17 * s[4] - 5 * s[5] + s[6],
    2: lambda s: -s[0] + 4 * s[1] - 11 * s[2] + 40 * s[3] + 40 * s[4] - 11 * s[5] + 4 * s[6] - s[7],
    3: lambda s: s[1] - 5 * s[2] + 17 * s[3] + 58 * s[4] - 10 * s[5] + 4 * s[6] - s[7],
}
_CHROMA = {
    1: lambda s: -2 * s[0] + 58 * s[1] + 10 * s[2] - 2 * s[3],
    2: lambda s: -4 * s[0] + 54 * s[1] + 16 * s[2] - 2 * s[3],
    3: lambda s: -6 * s[0] + 46 * s[1] + 28 * s[2] - 4 * s[3],
    4: lambda s: -4 * s[0] + 36 * s[1] + 36 * s[2] - 4 * s[3],
    5: lambda s: -4 * s[0] + 28 * s[1] + 46 * s[2] - 6 * s[3],
    6: lambda s: -2 * s[0] + 16 * s[1] + 54 * s[2] - 4 * s[3],
    7: lambda s: -2 * s[0] + 10 * s[1] + 58 * s[2] - 2 * s[3],
}


class SlowHevcReference:
    """One reference picture: its planes, read with clamped positions."""

    def __init__(self, planes: Sequence[np.ndarray], depth: int = 8) -> None:
        self._planes = [plane.tolist() for plane in planes]
        self._depth = depth

    def _at(self, plane: int, x: int, y: int) -> int:
        rows = self._planes[plane]
        y = min(max(y, 0), len(rows) - 1)
        return int(rows[y][min(max(x, 0), len(rows[0]) - 1)])

    def sample(self, plane: int, x: int, y: int, mv: Tuple[int, int]) -> int:
        """predSampleLX of 14 bits for a vector in units of quarter luma samples (8.5.3.3.3.1 and 8.5.3.3.3.2)."""
        bits, table, before, count = (2, _LUMA, 3, 8) if plane == 0 else (3, _CHROMA, 1, 4)
        x, y = x + (mv[0] >> bits), y + (mv[1] >> bits)
        across, down = mv[0] & ((1 << bits) - 1), mv[1] & ((1 << bits) - 1)
        shift1, shift2, shift3 = self._depth - 8, 6, 14 - self._depth

        def row(at: int) -> int:
            return int(table[across]([self._at(plane, x - before + k, at) for k in range(count)])) >> shift1

        if not across and not down:
            return self._at(plane, x, y) << shift3
        if not down:
            return row(y)
        lines: List[int] = [y - before + k for k in range(count)]
        if not across:
            return int(table[down]([self._at(plane, x, line) for line in lines])) >> shift1
        return int(table[down]([row(line) for line in lines])) >> shift2


def plain(samples: Sequence[int], depth: int) -> int:
    """Default weighted sample prediction (8.5.3.3.4.2)."""
    if len(samples) == 1:
        shift1 = 14 - depth
        value = (samples[0] + (1 << (shift1 - 1))) >> shift1
    else:
        shift2 = 15 - depth
        value = (samples[0] + samples[1] + (1 << (shift2 - 1))) >> shift2
    return min(max(value, 0), (1 << depth) - 1)


def weighted(samples: Sequence[int], w: Sequence[int], o: Sequence[int], denominator: int, depth: int) -> int:
    """Explicit weighted sample prediction (8.5.3.3.4.3)."""
    log2_wd = denominator + 14 - depth
    if len(samples) == 1:
        value = ((samples[0] * w[0] + 2 ** (log2_wd - 1)) >> log2_wd) + o[0]
    else:
        value = (samples[0] * w[0] + samples[1] * w[1] + ((o[0] + o[1] + 1) << log2_wd)) >> (log2_wd + 1)
    return min(max(value, 0), (1 << depth) - 1)
