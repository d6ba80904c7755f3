"""What a stream looks like to whoever looks at the page: its newest I-picture as JPEG, its motion in few bytes."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgecvar.errors import EdgecvarError
from edgecvar.sinks.drawing import cell_blocks, thin_field
from edgecvar.stream.types import BLOCK, CodedPicture, StreamInfo

WIDEST = 640
"""Pixels of a picture's longer side on the page."""
QUALITY = 72
STEPS_PER_PIXEL = 4
"""Of a velocity's bytes: quarter pixels a frame, up to 31.75."""
JPEG, MOTION = 1, 2
_HEAD = struct.Struct("<BxHI")
_GRID = struct.Struct("<HHHHhhHH")


@dataclass(frozen=True)
class Motion:
    """A picture's velocity, a cell an arrow: int8 (rows, columns, xy) in quarter pixels a frame.

    `cell` pixels is a cell's side; the picture of `width` x `height` pixels begins at (`left`, `top`) of the first one.
    `rotation` is how many degrees it is then turned counter-clockwise.
    """

    field: NDArray[np.int8]
    cell: int
    width: int
    height: int
    left: int
    top: int
    rotation: int


def thin_motion(velocity: NDArray[np.float32], info: StreamInfo) -> Motion:
    """The motion to be drawn of a velocity (H/4, W/4, xy) in pixels a frame."""
    blocks = cell_blocks(info)
    thin = np.rint(np.nan_to_num(thin_field(velocity, blocks)) * STEPS_PER_PIXEL)
    field = np.clip(thin, -127, 127).astype(np.int8)
    return Motion(field, blocks * BLOCK, info.width, info.height, info.crop_left, info.crop_top, info.rotation)


def motion_message(stream: int, number: int, motion: Motion) -> bytes:
    """Kind, stream's number, picture's number; rows, columns, cell, rotation, left, top, width, height; the field."""
    rows, columns, _ = motion.field.shape
    grid = _GRID.pack(rows, columns, motion.cell, motion.rotation, motion.left, motion.top, motion.width, motion.height)
    return _HEAD.pack(MOTION, stream, number & 0xFFFFFFFF) + grid + motion.field.tobytes()


def jpeg_message(stream: int, number: int, jpeg: bytes) -> bytes:
    """Kind, stream's number, picture's number; the JPEG."""
    return _HEAD.pack(JPEG, stream, number & 0xFFFFFFFF) + jpeg


def jpeg_of(picture: CodedPicture, rotation: int = 0, widest: int = WIDEST) -> Optional[bytes]:
    """An I-picture as JPEG, turned as it is shown; None where it cannot be decoded."""
    try:
        pixels = picture.image
    except EdgecvarError:
        return None
    if pixels is None:
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((widest, widest))
    if rotation:
        image = image.rotate(rotation, expand=True)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
