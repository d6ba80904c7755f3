"""YCbCr 4:2:0 to RGB in whole numbers, so that every version of every library gives the same picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.planes import Geometry, displayed_planes, sample_format, samples_in_420

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_BITS = 14
_MATRICES = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593), 7: (0.212, 0.087)}
_BT601 = (0.299, 0.114)
_BT601_NUMBER = 6
_FULL_RANGE = 2


@dataclass(frozen=True)
class ShownPlanes:
    """The displayed rectangle before it is RGB: y (height, width), cb and cr (half, rounded up).

    `matrix` is H.273's number of the one that the stream names, `full` whether samples use the full range.
    """

    y: NDArray[np.uint8]
    cb: NDArray[np.uint8]
    cr: NDArray[np.uint8]
    matrix: int
    full: bool

    @property
    def nbytes(self) -> int:
        """Bytes of all samples."""
        return self.y.nbytes + self.cb.nbytes + self.cr.nbytes

    def copy(self) -> ShownPlanes:
        """The same in memory of its own, where these are views of a decoder's."""
        return replace(self, y=self.y.copy(), cb=self.cb.copy(), cr=self.cr.copy())

    def to_rgb(self) -> Tuple[Tuple[float, float, float, float], ...]:
        """What red, green and blue from 0 to 255 are: parts of y, cb and cr, and an offset."""
        kr, kb = _MATRICES.get(self.matrix, _BT601)
        luma, chroma, black = (1.0, 1.0, 0) if self.full else (255.0 / 219.0, 255.0 / 224.0, 16)
        parts = (
            (0.0, 2.0 * (1.0 - kr)),
            (-2.0 * kb * (1.0 - kb) / (1.0 - kr - kb), -2.0 * kr * (1.0 - kr) / (1.0 - kr - kb)),
            (2.0 * (1.0 - kb), 0.0),
        )
        return tuple((luma, cb * chroma, cr * chroma, -luma * black - (cb + cr) * chroma * 128.0) for cb, cr in parts)

    def rgb(self) -> NDArray[np.uint8]:
        """uint8 (height, width, 3) by that matrix, BT.601 where none is named; chroma samples are repeated."""
        luma, red, green_b, green_r, blue = _tables(_MATRICES.get(self.matrix, _BT601), self.full)
        height, width = self.y.shape
        image = np.empty((height, width, 3), np.uint8)
        grey = luma[self.y]
        green = green_b[self.cb] + green_r[self.cr]
        for channel, chroma in ((0, red[self.cr]), (1, green), (2, blue[self.cb])):
            spread = chroma.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
            image[..., channel] = np.clip((grey + spread) >> _BITS, 0, 255)
        return image


def planes_of(frame: VideoFrame, geometry: Geometry) -> ShownPlanes:
    """A frame's displayed rectangle; views of its samples where they are 8-bit 4:2:0, else converted to that.

    Raises StreamError where the samples are not in planes of their own.
    """
    form = sample_format(frame)
    planes = samples_in_420(displayed_planes(frame, geometry), form)
    if form.rgb:
        return ShownPlanes(*planes, matrix=_BT601_NUMBER, full=False)
    full = frame.format.name.startswith("yuvj") or int(frame.color_range) == _FULL_RANGE
    return ShownPlanes(*planes, int(frame.colorspace), full)


@lru_cache(maxsize=8)
def _tables(luma_weights: Tuple[float, float], full: bool) -> Tuple[NDArray[np.int32], ...]:
    """Lookup tables: luma to grey, cr to red, cb and cr to green, cb to blue, scaled by 2**14."""
    kr, kb = luma_weights
    kg = 1.0 - kr - kb
    levels = np.arange(256, dtype=np.float64)
    unit = 1 << _BITS
    grey = levels if full else (levels - 16.0) * 255.0 / 219.0
    chroma = (levels - 128.0) * (1.0 if full else 255.0 / 224.0)
    channels = (
        grey + 0.5,
        2.0 * (1.0 - kr) * chroma,
        -2.0 * kb * (1.0 - kb) / kg * chroma,
        -2.0 * kr * (1.0 - kr) / kg * chroma,
        2.0 * (1.0 - kb) * chroma,
    )
    return tuple(np.round(table * unit).astype(np.int32) for table in channels)
