"""Filters onto the grid of a network's input: by the native core, and in numpy where it is not installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.native.choice import native_core

if TYPE_CHECKING:
    from edgecvar.stream.native._core import Picture

Channel = Tuple[float, float, float, float, float, float]
"""Parts of y, cb and cr, an offset, then a scale and a shift."""


@dataclass(frozen=True)
class Taps:
    """A triangle filter along one axis: output i is sum over k of weight[i, k] * source[index[i, k]]."""

    index: NDArray[np.int64]
    weight: NDArray[np.float32]
    inputs: int

    @staticmethod
    def make(start: float, length: float, outputs: int, inputs: int) -> Taps:
        """Resample [start, start + length) of `inputs` samples to `outputs`, widened when it shrinks (no aliasing)."""
        step = length / outputs
        reach = max(step, 1.0)
        centre = start + (np.arange(outputs) + 0.5) * step - 0.5
        first = np.ceil(centre - reach).astype(np.int64)
        offsets = np.arange(int(np.ceil(2 * reach)) + 1)
        index = first[:, None] + offsets[None, :]  # (outputs, taps)
        weight = np.maximum(0.0, 1.0 - np.abs(index - centre[:, None]) / reach)
        weight /= weight.sum(axis=1, keepdims=True)
        used = weight.max(axis=0) > 0
        return Taps(np.clip(index[:, used], 0, inputs - 1), weight[:, used].astype(np.float32), inputs)

    def apply(self, source: NDArray[np.float32]) -> NDArray[np.float32]:
        """(inputs, n) to (outputs, n)."""
        total = source[self.index[:, 0]]
        total *= self.weight[:, :1]
        part = np.empty_like(total)
        for tap in range(1, self.index.shape[1]):
            np.take(source, self.index[:, tap], axis=0, out=part, mode="clip")
            part *= self.weight[:, tap, None]
            total += part
        return total


@dataclass(frozen=True)
class Grid:
    """Both axes of a plane."""

    rows: Taps
    columns: Taps

    def __call__(self, source: NDArray[Any]) -> NDArray[np.float32]:
        """(H, W) to float32 (h, w)."""
        first, last = int(self.rows.index.min()), int(self.rows.index.max()) + 1
        part = source[first:last].astype(np.float32, order="C")
        rows = Taps(self.rows.index - first, self.rows.weight, last - first).apply(part)  # (h, W)
        return self.columns.apply(np.ascontiguousarray(rows.T)).T  # (h, w)


class BlockFilter:
    """What 4 x 4 blocks have, velocity (x, y) or whether they are intra, to planes float32 of any strides."""

    def __init__(self, blocks: Grid) -> None:
        core = native_core()
        self._blocks = blocks
        self._native = None if isinstance(core, str) else core.BlockFilter(*_axes(core, blocks))

    def picture(self, picture: Picture, scale: Tuple[float, float, float], out: NDArray[np.float32]) -> None:
        """A parsed picture's velocity to (2, h, w), times its `scale` each, at most the third of it in magnitude."""
        assert self._native is not None  # it has parsed the picture
        self._native.picture(picture, scale, out)

    def field(self, velocity: NDArray[np.float32], scale: Tuple[float, float, float], out: NDArray[np.float32]) -> None:
        """The same of a field (H/4, W/4, xy)."""
        if self._native is not None:
            self._native.pairs(velocity, scale, out)
            return
        for axis in (0, 1):
            out[axis] = np.clip(self._blocks(velocity[..., axis]) * np.float32(scale[axis]), -scale[2], scale[2])

    def intra(self, picture: Picture, out: NDArray[np.float32]) -> None:
        """The share of a parsed picture's area that is intra, to (1, h, w)."""
        assert self._native is not None  # it has parsed the picture
        self._native.intra(picture, out)

    def mask(self, mask: NDArray[np.bool_], out: NDArray[np.float32]) -> None:
        """The same of a mask (H/4, W/4)."""
        if self._native is not None:
            self._native.mask(mask, out)
            return
        out[0] = self._blocks(mask)


@dataclass(frozen=True)
class Colour:
    """What makes three channels of y, cb and cr: parts and an offset, kept from `low` to `high`; scale and shift."""

    channels: Tuple[Channel, Channel, Channel]
    low: float = -np.inf
    high: float = np.inf


class ColourFilter:
    """Planes y, cb and cr (of half the size, rounded up) to three channels float32 (3, h, w) of any strides."""

    def __init__(self, luma: Grid, chroma: Grid) -> None:
        core = native_core()
        self._luma, self._chroma = luma, chroma
        self._native: Any = None
        if not isinstance(core, str):
            self._native, self._colour = core.ColourFilter(*_axes(core, luma), *_axes(core, chroma)), core.Colour

    def picture(self, picture: Picture, colour: Colour, out: NDArray[np.float32]) -> None:
        """The residual of a parsed picture."""
        assert self._native is not None  # it has parsed the picture
        self._native.residual(picture, self._colour(colour.channels, colour.low, colour.high), out)

    def planes(self, planes: Tuple[NDArray[Any], ...], colour: Colour, out: NDArray[np.float32]) -> None:
        """Three planes of uint8 or of int16."""
        if self._native is not None:
            self._native.planes(planes, self._colour(colour.channels, colour.low, colour.high), out)
            return
        y, cb, cr = self._luma(planes[0]), self._chroma(planes[1]), self._chroma(planes[2])
        for number, (of_y, of_cb, of_cr, offset, scale, shift) in enumerate(np.array(colour.channels, np.float32)):
            channel = np.clip(of_y * y + of_cb * cb + of_cr * cr + offset, colour.low, colour.high)
            out[number] = channel * scale + shift


def _axes(core: Any, grid: Grid) -> Tuple[Any, Any]:
    rows, columns = grid.rows, grid.columns
    return core.Axis(rows.index, rows.weight, rows.inputs), core.Axis(columns.index, columns.weight, columns.inputs)
