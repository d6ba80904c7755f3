"""A clip in memory: its coded values, packed without loss, so that nothing is decoded twice."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Container, Dict, List, Mapping, Optional, Sequence, Set, Tuple, cast

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.gop import Window, cut_windows
from edgecvar.clips.motion_source import MotionSource
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import DatasetError, StreamError
from edgecvar.stream.colour import ShownPlanes
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
        exact = narrow if np.array_equal(narrow.astype(array.dtype), array) else array
        return Packed(exact.dtype.str, array.dtype.str, array.shape, zlib.compress(exact.tobytes(), 1))

    def unpack(self) -> NDArray[np.generic]:
        """The array again, of its own type."""
        flat = np.frombuffer(zlib.decompress(self.deflated), self.kept_as)
        return flat.astype(self.dtype).reshape(self.shape)


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
    """What one P or B picture gives: velocity float32 (H/4, W/4, xy) and the residual's three int16 planes."""

    velocity: Packed
    planes: Tuple[Packed, Packed, Packed]

    def residual(self) -> Residual:
        """The residual as the stream gave it."""
        y, cb, cr = (cast("NDArray[np.int16]", plane.unpack()) for plane in self.planes)
        return Residual(y, cb, cr)


@dataclass(frozen=True)
class RecordedClip:
    """A read clip: windows, I-pictures and coded values of P and B pictures, by decode index.

    `skipped` counts packets of the file that gave no picture. `display`: display indices by decode index. `frames`:
    where they are asked for, of P and B pictures; `undecoded` ones, which cannot be decoded, are in no window then.
    Neither are pictures that an edit list hides, by decode index in `hidden`. `cut`: pictures of another size followed.
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

    @property
    def size(self) -> int:
        """Bytes held, but for small change."""
        packed = (part for value in self.values.values() for part in (value.velocity, *value.planes))
        images = sum(image.nbytes for image in self.images.values())
        frames = sum(len(frame.deflated) for frame in self.frames.values())
        return images + frames + sum(len(part.deflated) for part in packed)


def read_clip(
    path: Path, spec: InputSpec, pictures: Optional[Container[int]] = None, frames: bool = False
) -> RecordedClip:
    """Read a clip, keeping every picture's values or, with `pictures`, those decode indices alone.

    It is read up to where pictures are of another size. With `frames` the decoded pictures are kept as well. Raises
    StreamError when it cannot be read and DatasetError when nothing in it can be sampled.
    """
    outline, cut = _Outline(), False
    images: Dict[int, ShownPlanes] = {}
    values: Dict[int, CodedValues] = {}
    decoded: Dict[int, PackedFrame] = {}
    undecoded: Set[int] = set()
    with open_stream(path, frames=frames) as stream:
        motion_source = MotionSource(stream.info, spec)
        for index, picture in enumerate(stream):
            cut = picture.opens is not None and picture.opens.info != stream.info
            if cut:
                break
            outline.push(picture)
            motion_source.push(picture)
            if pictures is not None and index not in pictures:
                continue
            if picture.has_image:
                images[index] = _image(picture)
            if picture.kind != "I" and images and picture.shown:
                if frames:
                    frame = _frame(picture)
                    if frame is None:
                        undecoded.add(index)
                        continue
                    decoded[index] = frame
                values[index] = _values(motion_source, picture)
        info, skipped = stream.info, stream.summary.skipped
    windows, hidden = outline.windows(spec.gop_length, undecoded), outline.hidden
    return RecordedClip(info, windows, images, values, skipped, outline.display, decoded, len(undecoded), hidden, cut)


@dataclass
class _Outline:
    """What windows are cut by, in decode order: kinds and display indices of pictures, the decode indices of some."""

    kinds: List[str] = field(default_factory=list)
    display: List[int] = field(default_factory=list)
    hidden: Set[int] = field(default_factory=set)
    opens: Set[int] = field(default_factory=set)
    recovered: Set[int] = field(default_factory=set)

    def push(self, picture: CodedPicture) -> None:
        index = len(self.kinds)
        self.kinds.append(picture.kind)
        self.display.append(picture.display_index)
        for some, holds in (
            (self.hidden, not picture.shown),
            (self.opens, picture.opens is not None),
            (self.recovered, picture.recovered),
        ):
            if holds:
                some.add(index)

    def windows(self, gop_length: int, undecoded: Set[int]) -> List[Window]:
        """Windows without the undecoded pictures; raises DatasetError where nothing is in them."""
        windows = [
            replace(window, pictures=tuple(each for each in window.pictures if each not in undecoded))
            for window in cut_windows(self.kinds, gop_length, self.hidden, self.opens, self.recovered)
        ]
        if not any(window.pictures for window in windows):
            counts = ", ".join(f"{self.kinds.count(kind)} {kind}" for kind in "IPB")
            if undecoded:
                counts += f", {len(undecoded)} cannot be decoded"
            raise DatasetError(f"no P or B picture after an I-picture, so there is no motion to sample ({counts})")
        return windows


def _image(picture: CodedPicture) -> ShownPlanes:
    if picture.planes is None:
        raise DatasetError(f"I-picture {picture.decode_index} has no image")
    return picture.planes.copy()


def _frame(picture: CodedPicture) -> Optional[PackedFrame]:
    """The decoded picture; None where it cannot be decoded."""
    assert picture.decoded is not None
    try:
        return PackedFrame.pack(picture.decoded.planes())
    except StreamError:
        return None


def _values(motion_source: MotionSource, picture: CodedPicture) -> CodedValues:
    residual = motion_source.residual(picture)
    return CodedValues(
        Packed.pack(motion_source.motion(picture)),
        (Packed.pack(residual.y), Packed.pack(residual.cb), Packed.pack(residual.cr)),
    )
