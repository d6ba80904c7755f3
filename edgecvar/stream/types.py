"""The values that cross the stream's boundary: frozen, shape-checked, units in their names."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Optional, Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK = 4
"""Side of one motion block, in luma samples."""


@dataclass(frozen=True)
class StreamInfo:
    """What is known of a stream before its first picture.

    `width` and `height` are the displayed size before rotation; `coded_width` and `coded_height` (multiples of
    16) are what motion and residual arrays cover, the displayed rectangle starting at (`crop_left`, `crop_top`).
    `rotation` is how many degrees (0, 90, 180, 270) the displayed picture is turned counter-clockwise.
    """

    codec: str
    width: int
    height: int
    fps: Fraction
    time_base: Fraction
    has_b_pictures: bool
    extraction: str
    coded_width: int
    coded_height: int
    crop_left: int = 0
    crop_top: int = 0
    rotation: int = 0
    extraction_note: str = ""


@dataclass(frozen=True)
class MotionField:
    """Motion vectors of one picture on the 4 x 4-pixel grid of the coded picture.

    `mv_qpel` int16 (2, H/4, W/4, 2): list, row, column, (x, y), from the block to its reference in quarter pixels.
    `ref_offset` int16 (2, H/4, W/4): display index of the reference minus this picture's; 0 where unused.
    `intra` and `weighted` bool (H/4, W/4). `exact` is False where the nearest reference had to be assumed.
    """

    mv_qpel: NDArray[np.int16]
    ref_offset: NDArray[np.int16]
    intra: NDArray[np.bool_]
    weighted: NDArray[np.bool_]
    exact: bool

    def __post_init__(self) -> None:
        grid = self.intra.shape
        for name, shape in (("mv_qpel", (2, *grid, 2)), ("ref_offset", (2, *grid)), ("weighted", grid)):
            got = getattr(self, name).shape
            if got != shape:
                raise ValueError(f"MotionField.{name}: got shape {got}, expected {shape}")


@dataclass(frozen=True)
class Residual:
    """What the bitstream adds to the prediction: int16 y (H, W), cb and cr (H/2, W/2), of the coded picture."""

    y: NDArray[np.int16]
    cb: NDArray[np.int16]
    cr: NDArray[np.int16]

    def __post_init__(self) -> None:
        height, width = self.y.shape
        for name in ("cb", "cr"):
            got = getattr(self, name).shape
            if got != (height // 2, width // 2):
                raise ValueError(f"Residual.{name}: got shape {got}, expected {(height // 2, width // 2)}")


class PictureContent(Protocol):
    """Computes what a picture holds, when asked."""

    def motion(self) -> Optional[MotionField]: ...

    def residual(self) -> Optional[Residual]: ...

    def image(self) -> Optional[NDArray[np.uint8]]: ...


@dataclass(frozen=True)
class CodedPicture:
    """One picture in decode order; `motion`, `residual` and `image` are computed on first use and kept.

    `kind` is "I", "P" or "B". `motion` and `residual` are None on I pictures; `image` is uint8 (height, width, 3)
    RGB on I pictures, as displayed but not rotated, and None elsewhere.
    """

    decode_index: int
    display_index: int
    pts_seconds: float
    kind: str
    keyframe: bool
    content: PictureContent = field(repr=False, compare=False)

    @cached_property
    def motion(self) -> Optional[MotionField]:
        return self.content.motion()

    @cached_property
    def residual(self) -> Optional[Residual]:
        return self.content.residual()

    @cached_property
    def image(self) -> Optional[NDArray[np.uint8]]:
        return self.content.image()


@dataclass
class StreamSummary:
    """Running counts of one reading: pictures given out, packets that gave none and why."""

    pictures: int = 0
    skipped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        self.skipped += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
