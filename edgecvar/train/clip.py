"""A clip in memory: its coded values, packed without loss, so that nothing is decoded twice."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Container, Dict, List, Optional, Sequence, Tuple, cast

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.spec import InputSpec
from edgecvar.clips.trace import Tracer
from edgecvar.errors import DatasetError
from edgecvar.stream.gop import Window, cut_windows
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture, Residual, StreamInfo


@dataclass(frozen=True)
class Packed:
    """An array as its smallest exact type, deflated; motion and residuals are mostly runs of equal values."""

    kept_as: str
    dtype: str
    shape: Tuple[int, ...]
    deflated: bytes

    @staticmethod
    def pack(array: NDArray[np.generic]) -> Packed:
        """Pack float32 or int16; the value that `unpack` gives is `array` bit for bit."""
        with np.errstate(over="ignore"):
            narrow = array.astype({"f": np.float16, "i": np.int8}[array.dtype.kind])
        kept = narrow if np.array_equal(narrow.astype(array.dtype), array) else array
        return Packed(kept.dtype.str, array.dtype.str, array.shape, zlib.compress(kept.tobytes(), 1))

    def unpack(self) -> NDArray[np.generic]:
        """The array again, of its own type."""
        flat = np.frombuffer(zlib.decompress(self.deflated), self.kept_as)
        return flat.astype(self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class CodedValues:
    """What one P or B picture gives: velocity float32 (H/4, W/4, xy) and the residual's three int16 planes."""

    velocity: Packed
    planes: Tuple[Packed, Packed, Packed]

    def residual(self) -> Residual:
        """The residual as the stream gave it."""
        y, cb, cr = (cast("NDArray[np.int16]", plane.unpack()) for plane in self.planes)
        return Residual(y, cb, cr)


@dataclass(frozen=True)
class RecordedClip:
    """A read clip: windows, I-pictures (uint8 RGB) and coded values of P and B pictures, by decode index.

    `skipped` counts packets of the file that gave no picture. `shown`: display indices by decode index.
    """

    info: StreamInfo
    windows: List[Window]
    images: Dict[int, NDArray[np.uint8]]
    values: Dict[int, CodedValues]
    skipped: int
    shown: Sequence[int] = ()

    @property
    def size(self) -> int:
        """Bytes held, but for small change."""
        packed = (part for value in self.values.values() for part in (value.velocity, *value.planes))
        return sum(image.nbytes for image in self.images.values()) + sum(len(part.deflated) for part in packed)


def read_clip(path: Path, spec: InputSpec, wanted: Optional[Container[int]] = None) -> RecordedClip:
    """Read a clip, keeping every picture's values or, with `wanted`, those decode indices alone.

    Raises StreamError when it cannot be read and DatasetError when nothing in it can be sampled.
    """
    kinds: List[str] = []
    shown: List[int] = []
    images: Dict[int, NDArray[np.uint8]] = {}
    values: Dict[int, CodedValues] = {}
    with open_stream(path) as stream:
        tracer = Tracer(stream.info, spec)
        for index, picture in enumerate(stream):
            kinds.append(picture.kind)
            shown.append(picture.display_index)
            tracer.push(picture)
            if wanted is not None and index not in wanted:
                continue
            if picture.kind == "I":
                images[index] = _image(picture)
            elif images:
                values[index] = _values(tracer, picture)
        info, skipped = stream.info, stream.summary.skipped
    windows = cut_windows(kinds, spec.gop_length)
    if not any(window.pictures for window in windows):
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in "IPB")
        raise DatasetError(f"no P or B picture after an I-picture, so there is no motion to sample ({counts})")
    return RecordedClip(info, windows, images, values, skipped, shown)


def _image(picture: CodedPicture) -> NDArray[np.uint8]:
    if picture.image is None:
        raise DatasetError(f"I-picture {picture.decode_index} has no image")
    return picture.image


def _values(tracer: Tracer, picture: CodedPicture) -> CodedValues:
    residual = tracer.residual(picture)
    return CodedValues(
        Packed.pack(tracer.velocity(picture)),
        (Packed.pack(residual.y), Packed.pack(residual.cb), Packed.pack(residual.cr)),
    )
