"""Sample planes of decoded frames in any chroma format or depth, whole macroblocks included, or as 8-bit 4:2:0."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from edgecvar.stream.types import StreamInfo

Plane = NDArray[Any]
"""uint8, or uint16 above 8 bits."""
Planes = Tuple[Plane, ...]
"""y, cb and cr, or y alone; of RGB G, B and R, as H.264 codes them in the place of y, cb and cr."""

# ITU-R BT.601, limited range: y, cb and cr of (G, B, R), in 256ths.
_FROM_GBR = ((129, 25, 66), (-74, 112, -38), (-94, -18, 112))


@dataclass(frozen=True)
class Geometry:
    """Coded size (multiples of 16, of HEVC of 8) and the displayed rectangle in it, in luma samples."""

    coded_width: int
    coded_height: int
    left: int
    top: int
    width: int
    height: int

    @staticmethod
    def of(info: StreamInfo) -> Geometry:
        """That of a stream's pictures."""
        left, top = info.crop_left, info.crop_top
        return Geometry(info.coded_width, info.coded_height, left, top, info.width, info.height)

    def told_by(self, info: StreamInfo) -> StreamInfo:
        """What is known of a stream, with this geometry."""
        return replace(
            info,
            width=self.width,
            height=self.height,
            coded_width=self.coded_width,
            coded_height=self.coded_height,
            crop_left=self.left,
            crop_top=self.top,
        )


@dataclass(frozen=True)
class SampleFormat:
    """How planes are sampled: bits a sample, and how many luma samples a chroma one stands for, `across` and `down`.

    Both are 0 where there is no chroma (4:0:0).
    """

    bits: int = 8
    across: int = 2
    down: int = 2
    rgb: bool = False

    @property
    def maximum(self) -> int:
        """The greatest sample."""
        return (1 << self.bits) - 1

    @property
    def is_420(self) -> bool:
        """Chroma of half the size each way; luma alone counts as that."""
        return self.across in (0, 2) and self.down in (0, 2)

    def step(self, plane: int) -> Tuple[int, int]:
        """How many luma rows and columns a sample of that plane stands for."""
        return (self.down, self.across) if plane else (1, 1)


def sample_format(frame: VideoFrame) -> SampleFormat:
    """The format of a decoded frame; raises StreamError where its samples are not in planes of their own."""
    pixels = frame.format
    depths, planes = {part.bits for part in pixels.components}, {part.plane for part in pixels.components}
    if len(depths) != 1 or planes not in ({0}, {0, 1, 2}) or len(pixels.components) != len(planes):
        raise StreamError(f"samples of the form {pixels.name} are not read; re-encode with -pix_fmt yuv420p")
    whole = 64
    across = whole // pixels.chroma_width(whole) if len(planes) == 3 else 0
    down = whole // pixels.chroma_height(whole) if len(planes) == 3 else 0
    return SampleFormat(depths.pop(), across, down, bool(pixels.is_rgb))


def coded_planes(frame: VideoFrame, geometry: Geometry) -> Planes:
    """Views of the planes of a frame, over its whole coded size.

    FFmpeg hands out MPEG-4, MPEG-2 and H.263 frames in their displayed size, but decodes whole macroblocks into
    buffers that its own allocator rounds up to multiples of 32 rows and of the line size.
    """
    form = sample_format(frame)
    steps = [form.step(index) for index in range(len(frame.planes))]
    height, width = geometry.coded_height, geometry.coded_width
    return tuple(_plane(frame, index, height // down, width // across) for index, (down, across) in enumerate(steps))


def _plane(frame: VideoFrame, index: int, height: int, width: int) -> Plane:
    plane = frame.planes[index]
    samples = _samples(frame)
    pitch = plane.line_size // samples.itemsize
    if plane.height >= height and pitch >= width:
        return np.frombuffer(memoryview(plane), samples)[: height * pitch].reshape(height, pitch)[:, :width]
    memory = (ctypes.c_uint8 * (plane.line_size * height)).from_address(plane.buffer_ptr)
    return np.frombuffer(memoryview(memory), samples).reshape(height, pitch)[:, :width].copy()


def _samples(frame: VideoFrame) -> np.dtype[Any]:
    return np.dtype(np.uint8 if frame.format.components[0].bits == 8 else np.uint16)


def displayed_planes(frame: VideoFrame, geometry: Geometry) -> Planes:
    """Views of the planes of a frame, cropped for display; sides of chroma planes are rounded up."""
    planes = []
    form = sample_format(frame)
    for index in range(len(frame.planes)):
        down, across = form.step(index)
        plane, samples = frame.planes[index], _samples(frame)
        whole = np.frombuffer(memoryview(plane), samples).reshape(-1, plane.line_size // samples.itemsize)
        top, left = geometry.top // down, geometry.left // across
        rows, columns = -(-geometry.height // down), -(-geometry.width // across)
        planes.append(whole[top : top + rows, left : left + columns])
    return tuple(planes)


def samples_in_420(
    planes: Planes, form: SampleFormat
) -> Tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """8-bit y (H, W), cb and cr (half, rounded up) of samples of any format: means of those in one's place."""
    if form == SampleFormat():
        return planes[0], planes[1], planes[2]
    y, cb, cr = _in_420(planes, form, zero=(16, 128))
    return _bytes(y), _bytes(cb), _bytes(cr)


def differences_in_420(
    planes: Sequence[NDArray[np.int16]], form: SampleFormat
) -> Tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]:
    """The same of differences between samples; chroma is 0 where there is none."""
    if form == SampleFormat():
        return planes[0], planes[1], planes[2]
    y, cb, cr = (np.asarray(plane, np.int16) for plane in _in_420(planes, form, zero=(0, 0)))
    return y, cb, cr


def differences_in_8_bits(
    planes: Sequence[NDArray[np.int16]], depths: Tuple[int, int]
) -> Tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]:
    """The same of 4:2:0, luma and chroma of so many bits each."""
    bits = (depths[0], depths[1], depths[1])
    y, cb, cr = (
        plane if deep == 8 else np.asarray(_shifted(plane, deep - 8), np.int16) for plane, deep in zip(planes, bits)
    )
    return y, cb, cr


def _in_420(planes: Sequence[Plane], form: SampleFormat, zero: Tuple[int, int]) -> Tuple[Plane, Plane, Plane]:
    """`zero`: what 8-bit samples of luma (of RGB alone) and chroma are where there is nothing."""
    deeper = form.bits - 8
    if form.rgb:
        levels = (zero[0], zero[1], zero[1])
        planes = [_weighted(planes, row) + (level << deeper) for row, level in zip(_FROM_GBR, levels)]
    y = _shifted(planes[0], deeper)
    if len(planes) == 1:
        blank = np.full((-(-y.shape[0] // 2), -(-y.shape[1] // 2)), zero[1], np.int16)
        return y, blank, blank
    cb, cr = (_halved(plane, form, y.shape) for plane in planes[1:])
    return y, cb, cr


def _weighted(planes: Sequence[Plane], weights: Tuple[int, int, int]) -> NDArray[np.int32]:
    total = np.zeros(planes[0].shape, np.int32)
    for plane, weight in zip(planes, weights):
        total += plane.astype(np.int32) * weight
    return _shifted(total, 8)


def _halved(plane: Plane, form: SampleFormat, luma: Tuple[int, ...]) -> Plane:
    """Chroma at half the size of luma, in 8 bits: repeated where there is less, the mean where there is more."""
    half = (-(-luma[0] // 2), -(-luma[1] // 2))
    shift = form.bits - 8
    for axis, step in enumerate((form.down, form.across)):
        if step == 1:
            if plane.shape[axis] % 2:
                plane = np.pad(plane, [(0, int(each == axis)) for each in (0, 1)], mode="edge")
            plane = np.moveaxis(plane, axis, 0).astype(np.int32)
            plane = np.moveaxis(plane[0::2] + plane[1::2], 0, axis)
            shift += 1
        elif step == 4:
            plane = plane.repeat(2, axis=axis)
    return _shifted(plane, shift)[: half[0], : half[1]]


def _shifted(values: Plane, bits: int) -> NDArray[np.int32]:
    """values / 2**bits, halves rounded away from zero, so that a difference and its opposite stay opposite."""
    if bits == 0:
        return values.astype(np.int32, copy=False)
    total = values.astype(np.int32) + (1 << (bits - 1))
    total -= values < 0
    total >>= bits
    return total


def _bytes(values: Plane) -> NDArray[np.uint8]:
    return np.clip(values, 0, 255).astype(np.uint8)
