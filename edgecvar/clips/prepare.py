"""The one preprocessing: pictures to network inputs, for training, calibration, run and bench alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.spec import InputSpec
from edgecvar.stream.types import BLOCK, Residual, StreamInfo

MOTION_LIMIT = 8.0
"""Prepared motion is clipped here: a vector that long is a mismatch of the encoder's search, not content."""

# ITU-R BT.601, limited range: the linear part of Y'CbCr to RGB, which is all that a difference needs.
_LUMA, _RED_CR, _GREEN_CB, _GREEN_CR, _BLUE_CB = 1.164384, 1.596027, -0.391762, -0.812968, 2.017232


@dataclass(frozen=True)
class View:
    """The part of the displayed (rotated) picture that a network sees, in fractions; `flip` mirrors left and right."""

    top: float
    left: float
    height: float
    width: float
    flip: bool = False

    def __post_init__(self) -> None:
        inside = self.top >= 0 and self.left >= 0 and self.height > 0 and self.width > 0
        if not inside or self.top + self.height > 1 + 1e-9 or self.left + self.width > 1 + 1e-9:
            raise ValueError(f"View: {self} is not inside the picture")


def displayed_size(info: StreamInfo) -> Tuple[int, int]:
    """(height, width) as a viewer shows it, rotation applied."""
    return (info.width, info.height) if info.rotation in (90, 270) else (info.height, info.width)


def centre_view(info: StreamInfo, spec: InputSpec, crop: Optional[float] = None) -> View:
    """The central view: `crop` (the spec's unless given) of the largest region with the input's aspect."""
    part = spec.crop if crop is None else crop
    if spec.squash:
        height = width = part
    else:
        rows, columns = displayed_size(info)
        scale = min(rows / spec.height, columns / spec.width) * part
        height, width = spec.height * scale / rows, spec.width * scale / columns
    return View((1 - height) / 2, (1 - width) / 2, height, width)


class Preparer:
    """Turns pictures of one stream into inputs, seen through one view; weights are computed once."""

    def __init__(self, info: StreamInfo, spec: InputSpec, view: Optional[View] = None) -> None:
        self._spec = spec
        self._turns = info.rotation // 90
        view = centre_view(info, spec) if view is None else view
        self._flip = view.flip
        source = _unrotate(view, self._turns)
        rows, columns = (spec.width, spec.height) if self._turns % 2 else (spec.height, spec.width)
        region = _Region(source, info, rows, columns)
        self._shown = region.resampler(1, shown_only=True)
        self._luma = region.resampler(1)
        self._chroma = region.resampler(2)
        self._blocks = region.resampler(BLOCK)
        self._region = region
        # Source pixels to input pixels, along the source's axes.
        self._scale_x = columns / (source.width * info.width) / spec.velocity_unit
        self._scale_y = rows / (source.height * info.height) / spec.velocity_unit

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB uint8 (H, W, 3) as displayed before rotation, to float32 (3, h, w), mean and deviation removed."""
        planes = np.empty((3, *self._shown.shape), np.float32)
        for channel, (mean, deviation) in enumerate(zip(self._spec.image_mean, self._spec.image_std)):
            plane = self._shown(image[..., channel])
            np.multiply(plane, np.float32(1 / (255 * deviation)), out=planes[channel])
            planes[channel] -= np.float32(mean / deviation)
        return self._orient(planes)

    def motion(self, velocity: NDArray[np.float32]) -> NDArray[np.float32]:
        """Velocity (H/4, W/4, xy) on the coded grid to float32 (2, h, w): input pixels a frame / velocity_unit."""
        return self._resampled(self._blocks, velocity)

    def flow(self, velocity: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `motion`, of a velocity on any grid (rows, columns, xy) that covers the picture as displayed."""
        rows, columns = velocity.shape[:2]
        return self._resampled(self._region.grid(rows, columns), velocity)

    def _resampled(self, resampled: _Resampler, velocity: NDArray[np.float32]) -> NDArray[np.float32]:
        vx = resampled(velocity[..., 0]) * np.float32(self._scale_x)
        vy = resampled(velocity[..., 1]) * np.float32(self._scale_y)
        for _ in range(self._turns):
            vx, vy = vy, -vx
        if self._flip:
            vx = -vx
        return np.clip(self._orient(np.stack([vx, vy])), -MOTION_LIMIT, MOTION_LIMIT)

    def residual(self, residual: Residual) -> NDArray[np.float32]:
        """Residual planes of the coded picture to an RGB-like float32 (3, h, w), divided by residual_unit."""
        unit = np.float32(1 / self._spec.residual_unit)
        grey = self._luma(residual.y) * np.float32(_LUMA * unit)
        cb, cr = self._chroma(residual.cb) * unit, self._chroma(residual.cr) * unit
        red = grey + np.float32(_RED_CR) * cr
        green = grey + np.float32(_GREEN_CB) * cb + np.float32(_GREEN_CR) * cr
        return self._orient(np.stack([red, green, grey + np.float32(_BLUE_CB) * cb]))

    def _orient(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        turned = np.rot90(planes, self._turns, axes=(1, 2))
        return np.ascontiguousarray(turned[..., ::-1] if self._flip else turned, dtype=np.float32)


def _unrotate(view: View, turns: int) -> View:
    """The same region before `turns` counter-clockwise quarter turns of the picture."""
    top, left, height, width = view.top, view.left, view.height, view.width
    for _ in range(turns):
        # One clockwise quarter turn: a row becomes a column counted from the right.
        top, left, height, width = left, max(0.0, 1 - top - height), width, height
    return View(top, left, height, width)


@dataclass(frozen=True)
class _Region:
    """A view in source pixels, and the output size before rotation."""

    view: View
    info: StreamInfo
    rows: int
    columns: int

    def resampler(self, cell: int, shown_only: bool = False) -> _Resampler:
        """Samples arrays with one entry per `cell` x `cell` pixels of the coded (or only the shown) picture."""
        info, view = self.info, self.view
        y0, x0 = (0, 0) if shown_only else (info.crop_top, info.crop_left)
        height, width = (info.height, info.width) if shown_only else (info.coded_height, info.coded_width)
        vertical = _Taps.make(
            (y0 + view.top * info.height) / cell, view.height * info.height / cell, self.rows, height // cell
        )
        horizontal = _Taps.make(
            (x0 + view.left * info.width) / cell, view.width * info.width / cell, self.columns, width // cell
        )
        return _Resampler(vertical, horizontal)

    def grid(self, rows: int, columns: int) -> _Resampler:
        """Samples arrays of rows x columns entries that cover the displayed picture before rotation."""
        view = self.view
        vertical = _Taps.make(view.top * rows, view.height * rows, self.rows, rows)
        return _Resampler(vertical, _Taps.make(view.left * columns, view.width * columns, self.columns, columns))


@dataclass(frozen=True)
class _Taps:
    """A triangle filter along one axis: output i is sum over k of weight[i, k] * source[index[i, k]]."""

    index: NDArray[np.intp]
    weight: NDArray[np.float32]

    @staticmethod
    def make(start: float, length: float, outputs: int, inputs: int) -> _Taps:
        """Resample [start, start + length) of `inputs` samples to `outputs`, widened when it shrinks (no aliasing)."""
        step = length / outputs
        reach = max(step, 1.0)
        centre = start + (np.arange(outputs) + 0.5) * step - 0.5
        first = np.ceil(centre - reach).astype(np.intp)
        offsets = np.arange(int(np.ceil(2 * reach)) + 1)
        index = first[:, None] + offsets[None, :]  # (outputs, taps)
        weight = np.maximum(0.0, 1.0 - np.abs(index - centre[:, None]) / reach)
        weight /= weight.sum(axis=1, keepdims=True)
        used = weight.max(axis=0) > 0
        return _Taps(np.clip(index[:, used], 0, inputs - 1), weight[:, used].astype(np.float32))

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
class _Resampler:
    vertical: _Taps
    horizontal: _Taps

    @property
    def shape(self) -> Tuple[int, int]:
        return len(self.vertical.index), len(self.horizontal.index)

    def __call__(self, source: NDArray[Any]) -> NDArray[np.float32]:
        """(H, W) to float32 (h, w)."""
        first, last = int(self.vertical.index.min()), int(self.vertical.index.max()) + 1
        part = source[first:last].astype(np.float32, order="C")
        rows = _Taps(self.vertical.index - first, self.vertical.weight).apply(part)  # (h, W)
        return self.horizontal.apply(np.ascontiguousarray(rows.T)).T  # (h, w)
