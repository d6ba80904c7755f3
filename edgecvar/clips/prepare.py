"""The one preprocessing: pictures to network inputs, for training, calibration, run and bench alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Dict, Mapping, Optional, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.filters import BlockFilter, Colour, ColourFilter, Grid, Taps
from edgecvar.clips.spec import COMMON_RATE, InputSpec
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.types import BLOCK, Residual, StreamInfo

if TYPE_CHECKING:
    from edgecvar.stream.native._core import Picture

# ITU-R BT.601, limited range: the linear part of Y'CbCr to RGB, which is all that a difference needs.
_LUMA, _RED_CR, _GREEN_CB, _GREEN_CR, _BLUE_CB = 1.164384, 1.596027, -0.391762, -0.812968, 2.017232


Prepared = Union[ShownPlanes, "NDArray[np.float32]", "NDArray[np.bool_]", Residual, "Picture"]
"""What an input is made of; see Preparer's methods."""


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


def velocity_unit(info: StreamInfo, spec: InputSpec) -> float:
    """Input pixels per frame of this stream that map to 1.0."""
    return spec.velocity_unit * (1.0 if spec.velocity_per == "frame" else COMMON_RATE / float(info.fps))


class Preparer:
    """Turns pictures of one stream into inputs, seen through one view; weights are computed once.

    What is prepared goes into `out`, float32 and C-contiguous in the input's shape, where it is given. May be used by
    several threads.
    """

    def __init__(self, info: StreamInfo, spec: InputSpec, view: Optional[View] = None) -> None:
        self._spec = spec
        self._turns = info.rotation // 90
        view = centre_view(info, spec) if view is None else view
        self._flip = view.flip
        source = _unrotate(view, self._turns)
        rows, columns = (spec.width, spec.height) if self._turns % 2 else (spec.height, spec.width)
        region = _Region(source, info, rows, columns)
        self._image = ColourFilter(region.grid(1, shown_only=True), region.grid(2, shown_only=True))
        self._blocks = BlockFilter(region.grid(BLOCK))
        self._residual = ColourFilter(region.grid(1), region.grid(2))
        self._colour = _difference_colour(spec.residual_unit)
        self._region = region
        # Source pixels to input pixels, along the source's axes.
        unit = velocity_unit(info, spec)
        scale_x = columns / (source.width * info.width) / unit
        scale_y = rows / (source.height * info.height) / unit
        # How often a quarter turn, and a mirror, change the sign of either.
        turned_x, turned_y = ((1, 1), (-1, 1), (-1, -1), (1, -1))[self._turns]
        mirrored = -1 if self._flip else 1
        self._swapped = bool(self._turns % 2)
        across, down = (1, mirrored) if self._swapped else (mirrored, 1)
        self._scale = (scale_x * turned_x * across, scale_y * turned_y * down, spec.motion_limit)

    def inputs(
        self, values: Mapping[str, Prepared], out: Optional[Mapping[str, NDArray[np.float32]]] = None
    ) -> Dict[str, NDArray[np.float32]]:
        """All inputs of one picture, both by source (CHANNELS); into memory of `out`, if given."""
        ways: Dict[str, Callable[..., NDArray[np.float32]]] = {
            "motion": self.motion,
            "residual": self.residual,
            "intra": self.intra,
        }
        into = out or {}
        return {source: ways.get(source, self.image)(value, into.get(source)) for source, value in values.items()}

    def image(self, image: ShownPlanes, out: Optional[NDArray[np.float32]] = None) -> NDArray[np.float32]:
        """A picture as displayed before rotation, to RGB float32 (3, h, w), mean and deviation removed."""
        out = self._made("image", out)
        red, green, blue = (
            (*parts, 1 / (255 * deviation), -mean / deviation)
            for parts, mean, deviation in zip(image.to_rgb(), self._spec.image_mean, self._spec.image_std)
        )
        self._image.planes((image.y, image.cb, image.cr), Colour((red, green, blue), 0, 255), self._before_turn(out))
        return out

    def motion(
        self, velocity: Union[NDArray[np.float32], Picture], out: Optional[NDArray[np.float32]] = None
    ) -> NDArray[np.float32]:
        """Velocity to float32 (2, h, w): input pixels a frame / velocity_unit, or in a 30th of a second.

        Each component is cut at `InputSpec.motion_limit`. `velocity` is a field (H/4, W/4, xy) on the coded grid, or
        that of a P or B picture of the native core, made of the blocks that move alone.
        """
        out = self._made("motion", out)
        planes = self._before_turn(out)[:: -1 if self._swapped else 1]
        if isinstance(velocity, np.ndarray):
            self._blocks.field(velocity, self._scale, planes)
        else:
            self._blocks.picture(velocity, self._scale, planes)
        return out

    def flow(self, velocity: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `motion`, cut as that is, of a velocity on any grid (rows, columns, xy) that covers the shown picture."""
        out = self._made("motion", None)
        planes = self._before_turn(out)[:: -1 if self._swapped else 1]
        BlockFilter(self._region.spread(*velocity.shape[:2])).field(velocity, self._scale, planes)
        return out

    def residual(
        self, residual: Union[Residual, Picture], out: Optional[NDArray[np.float32]] = None
    ) -> NDArray[np.float32]:
        """Residual to an RGB-like float32 (3, h, w), divided by residual_unit.

        It is planes of the coded picture, or that of a P or B picture of the native core, made of the coded blocks
        alone.
        """
        out = self._made("residual", out)
        planes = self._before_turn(out)
        if isinstance(residual, Residual):
            self._residual.planes((residual.y, residual.cb, residual.cr), self._colour, planes)
        else:
            self._residual.picture(residual, self._colour, planes)
        return out

    def intra(
        self, mask: Union[NDArray[np.bool_], Picture], out: Optional[NDArray[np.float32]] = None
    ) -> NDArray[np.float32]:
        """What is coded intra to its share of the area, 0 to 1, float32 (1, h, w).

        It is a mask (H/4, W/4) on the coded grid, or that of a P or B picture of the native core, made of the intra
        macroblocks alone.
        """
        out = self._made("intra", out)
        plane = self._before_turn(out)
        if isinstance(mask, np.ndarray):
            self._blocks.mask(mask, plane)
        else:
            self._blocks.intra(mask, plane)
        return out

    def _made(self, source: str, out: Optional[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.empty(self._spec.shape(source), np.float32) if out is None else out

    def _before_turn(self, out: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is written to it, along the source's axes, is turned and mirrored in `out`."""
        return np.rot90(out[..., ::-1] if self._flip else out, -self._turns, axes=(1, 2))


def _difference_colour(unit: float) -> Colour:
    """The linear part of Y'CbCr to RGB, in units."""
    scale = 1 / unit
    return Colour(
        (
            (_LUMA, 0, _RED_CR, 0, scale, 0),
            (_LUMA, _GREEN_CB, _GREEN_CR, 0, scale, 0),
            (_LUMA, _BLUE_CB, 0, 0, scale, 0),
        )
    )


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

    def grid(self, cell: int, shown_only: bool = False) -> Grid:
        """Samples arrays with one entry per `cell` x `cell` pixels of the coded (or only the shown) picture."""
        info, view = self.info, self.view
        y0, x0 = (0, 0) if shown_only else (info.crop_top, info.crop_left)
        height, width = (info.height, info.width) if shown_only else (info.coded_height, info.coded_width)
        top, tall = (y0 + view.top * info.height) / cell, view.height * info.height / cell
        left, wide = (x0 + view.left * info.width) / cell, view.width * info.width / cell
        return Grid(
            Taps.make(top, tall, self.rows, -(-height // cell)), Taps.make(left, wide, self.columns, -(-width // cell))
        )

    def spread(self, rows: int, columns: int) -> Grid:
        """Samples arrays of rows x columns entries that cover the displayed picture before rotation."""
        view = self.view
        return Grid(
            Taps.make(view.top * rows, view.height * rows, self.rows, rows),
            Taps.make(view.left * columns, view.width * columns, self.columns, columns),
        )
