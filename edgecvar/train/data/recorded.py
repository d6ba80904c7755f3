"""A clip in memory: its coded values, packed without loss, so that nothing is decoded twice."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, Container, Dict, List, Mapping, Optional, Sequence, Tuple, cast

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.gop import Window
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.types import Residual, StreamInfo

WORD = 8
"""Bytes that are left out together."""


@dataclass(frozen=True)
class Packed:
    """An array without its runs of zeros, as its smallest exact type, deflated.

    Most blocks stand still and most of a residual is zero: of its bytes, `WORD` at a time, only those are packed that
    are not all zero, behind a bit for each that says so.
    """

    kept_as: str
    dtype: str
    shape: Tuple[int, ...]
    deflated: bytes

    @staticmethod
    def pack(array: NDArray[np.generic]) -> Packed:
        """Pack float32, int16 or bool; the value that `unpack` gives is `array` bit for bit."""
        words = _zeros(array.size, array.dtype)
        words.view(array.dtype)[: array.size] = array.ravel()
        used = words != 0
        values = words[used].view(array.dtype)
        with np.errstate(over="ignore"):
            narrow = values.astype({"f": np.float16, "i": np.int8, "b": np.bool_}[array.dtype.kind])
        exact = narrow if np.array_equal(narrow.astype(array.dtype), values) else values
        deflated = zlib.compress(np.packbits(used).tobytes() + exact.tobytes(), 1)
        return Packed(exact.dtype.str, array.dtype.str, array.shape, deflated)

    def unpack(self) -> NDArray[np.generic]:
        """The array again, of its own type."""
        dtype, size = np.dtype(self.dtype), int(np.prod(self.shape))
        words = _zeros(size, dtype)
        packed = zlib.decompress(self.deflated)
        bits = -(-len(words) // 8)
        used = np.unpackbits(np.frombuffer(packed, np.uint8, bits), count=len(words)).view(np.bool_)
        words[used] = np.frombuffer(packed, self.kept_as, offset=bits).astype(dtype).view(words.dtype)
        return words.view(dtype)[:size].reshape(self.shape)


def _zeros(size: int, dtype: np.dtype[Any]) -> NDArray[np.uint64]:
    """As many words as so many values fill."""
    return np.zeros(-(-size * dtype.itemsize // WORD), np.uint64)


@dataclass(frozen=True)
class PackedFrame:
    """A decoded picture's samples, each as its difference to the one before it, in Huffman codes; without loss.

    Half as long as they are, and packed twice as fast as by matching strings, which finds next to nothing in pictures.
    """

    shapes: Tuple[Tuple[int, ...], Tuple[int, ...], Tuple[int, ...]]
    matrix: int
    full: bool
    deflated: bytes

    @staticmethod
    def pack(planes: ShownPlanes) -> PackedFrame:
        """The planes, which may be views of a decoder's memory, as bytes of their own."""
        y, cb, cr = planes.y, planes.cb, planes.cr
        samples = np.concatenate([y.ravel(), cb.ravel(), cr.ravel()])
        differences = samples.copy()
        differences[1:] -= samples[:-1]
        coder = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
        deflated = coder.compress(differences.tobytes()) + coder.flush()
        return PackedFrame((y.shape, cb.shape, cr.shape), planes.matrix, planes.full, deflated)

    def unpack(self) -> ShownPlanes:
        """The planes again."""
        differences = np.frombuffer(zlib.decompress(self.deflated, -15), np.uint8)
        samples = np.add.accumulate(differences, dtype=np.uint8)
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        y, cb, cr = (part.reshape(shape) for part, shape in zip(np.split(samples, ends[:2]), self.shapes))
        return ShownPlanes(y, cb, cr, self.matrix, self.full)


@dataclass(frozen=True)
class CodedValues:
    """What one P or B picture gives: velocity float32 (H/4, W/4, xy), and what is asked for of the rest.

    That is the residual's int16 planes, and which blocks are intra, bool (H/4, W/4).
    """

    velocity: Packed
    planes: Optional[Tuple[Packed, Packed, Packed]]
    intra: Optional[Packed] = None

    @property
    def size(self) -> int:
        """Bytes held, but for small change."""
        parts = (self.velocity, *(self.planes or ()), *([] if self.intra is None else [self.intra]))
        return sum(len(part.deflated) for part in parts)

    def residual(self) -> Residual:
        """The residual as the stream gave it; only of a clip that was read with it."""
        assert self.planes is not None, "the clip was read without its residual"
        y, cb, cr = (cast("NDArray[np.int16]", plane.unpack()) for plane in self.planes)
        return Residual(y, cb, cr)

    def mask(self) -> NDArray[np.bool_]:
        """Which blocks are intra; only of a clip that was read with it."""
        assert self.intra is not None, "the clip was read without what is intra"
        return cast("NDArray[np.bool_]", self.intra.unpack())


@dataclass(frozen=True)
class RecordedClip:
    """A read clip: windows, I-pictures and coded values of P and B pictures, by decode index, as far as asked for.

    `skipped` counts packets of the file that gave no picture. `display`: display indices by decode index. `frames`:
    where they are asked for, of P and B pictures; `undecoded` ones, which cannot be decoded, are in no window then.
    Neither are pictures that an edit list hides, by decode index in `hidden`. `cut`: pictures of another size followed.
    `sound`: the core has read it, a picture a packet, and found nothing lost or damaged.
    """

    info: StreamInfo
    windows: List[Window]
    images: Dict[int, ShownPlanes]
    values: Dict[int, CodedValues]
    skipped: int
    display: Sequence[int] = ()
    frames: Mapping[int, PackedFrame] = field(default_factory=dict)
    undecoded: int = 0
    hidden: Container[int] = ()
    cut: bool = False
    sound: bool = False

    @property
    def size(self) -> int:
        """Bytes held, but for small change."""
        images = sum(image.nbytes for image in self.images.values())
        frames = sum(len(frame.deflated) for frame in self.frames.values())
        return images + frames + sum(value.size for value in self.values.values())
