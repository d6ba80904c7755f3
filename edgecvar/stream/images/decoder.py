"""What every decoder of I-pictures is, and the planes that it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.planes import Geometry

Samples = NDArray[np.uint8]


class NotRewritten(StreamError):
    """An I-picture that hardware is not asked for, because it may not read it: it says nothing of the decoder."""


@dataclass(frozen=True)
class CodedPlanes:
    """The whole coded picture in 8-bit 4:2:0: y (height, width), cb and cr (half)."""

    y: Samples
    cb: Samples
    cr: Samples

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height."""
        return self.y.shape[1], self.y.shape[0]

    def shown(self, geometry: Geometry, matrix: int, full: bool) -> ShownPlanes:
        """The displayed rectangle, as `colour.planes_of` gives it of a frame."""
        rows, columns = -(-geometry.height // 2), -(-geometry.width // 2)
        top, left = geometry.top // 2, geometry.left // 2
        y = self.y[geometry.top : geometry.top + geometry.height, geometry.left : geometry.left + geometry.width]
        cb, cr = (plane[top : top + rows, left : left + columns] for plane in (self.cb, self.cr))
        return ShownPlanes(y, cb, cr, matrix, full)

    def difference(self, other: CodedPlanes) -> float:
        """The mean absolute difference of all samples; raises StreamError where sizes differ."""
        if self.size != other.size:
            raise StreamError(f"it gives {self.size[0]}x{self.size[1]} of {other.size[0]}x{other.size[1]}")
        total, count = 0, 0
        for mine, its in ((self.y, other.y), (self.cb, other.cb), (self.cr, other.cr)):
            total += int(np.abs(mine.astype(np.int16) - its).sum(dtype=np.int64))
            count += mine.size
        return total / count


class ImageDecoder(Protocol):
    """Decodes the I-pictures of one stream, one by one."""

    name: str

    def planes(self, sets: bytes, packet: bytes, seconds: float) -> CodedPlanes:
        """The picture of `packet`, read with the parameter sets `sets`; raises StreamError, after `seconds` too.

        NotRewritten where another decoder is to be asked for this one.
        """
        ...

    def close(self) -> None:
        """Lets go of the device."""
        ...


class Device(Protocol):
    """What decodes IDR access units, each on its own; its calls may hang, and are made in one thread."""

    def decode(self, unit: bytes, seconds: float) -> CodedPlanes: ...

    def close(self) -> None: ...


def packed_nv12(y: Samples, chroma: Samples) -> CodedPlanes:
    """Of y (H, W) and chroma (H/2, W), cb and cr in turn; a copy."""
    return CodedPlanes(y.copy(), chroma[:, 0::2].copy(), chroma[:, 1::2].copy())
