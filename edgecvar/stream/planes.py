"""Sample planes of decoded frames, whole coded macroblocks included."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Tuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Plane = NDArray[np.uint8]
Planes = Tuple[Plane, Plane, Plane]

FORMATS_420 = ("yuv420p", "yuvj420p")


@dataclass(frozen=True)
class Geometry:
    """Coded size (multiples of 16) and the displayed rectangle in it, in luma samples."""

    coded_width: int
    coded_height: int
    left: int
    top: int
    width: int
    height: int


def coded_planes(frame: VideoFrame, geometry: Geometry) -> Planes:
    """Views of y (H, W), cb and cr (H/2, W/2) of an 8-bit 4:2:0 frame, over its whole coded size.

    FFmpeg hands out MPEG-4, MPEG-2 and H.263 frames in their displayed size, but decodes whole macroblocks into
    buffers that its own allocator rounds up to multiples of 32 rows and of the line size.
    """
    width, height = geometry.coded_width, geometry.coded_height
    y, cb, cr = (_plane(frame, index, width >> (index > 0), height >> (index > 0)) for index in range(3))
    return y, cb, cr


def _plane(frame: VideoFrame, index: int, width: int, height: int) -> Plane:
    plane = frame.planes[index]
    pitch = plane.line_size
    if plane.height >= height and pitch >= width:
        return np.frombuffer(memoryview(plane), np.uint8)[: height * pitch].reshape(height, pitch)[:, :width]
    memory = (ctypes.c_uint8 * (pitch * height)).from_address(plane.buffer_ptr)
    return np.frombuffer(memoryview(memory), np.uint8).reshape(height, pitch)[:, :width].copy()


def displayed_planes(frame: VideoFrame, geometry: Geometry) -> Planes:
    """Views of y (height, width), cb and cr (half, rounded up) of an 8-bit 4:2:0 frame, cropped for display."""
    planes = []
    for index in range(3):
        plane, half = frame.planes[index], int(index > 0)
        whole = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        top, left = geometry.top >> half, geometry.left >> half
        rows, columns = (geometry.height + half) >> half, (geometry.width + half) >> half
        planes.append(whole[top : top + rows, left : left + columns])
    return planes[0], planes[1], planes[2]
