"""Pictures as PNG: for notebooks, for `edgecvar inspect`."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.motion import velocity
from edgecvar.stream.types import BLOCK, MotionField

FASTEST = 4.0
"""Pixels a frame that are drawn in full colour."""


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """The PNG of uint8 RGB (height, width, 3)."""
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = image.shape[1], image.shape[0], "rgb24"
    encoder.time_base = Fraction(1, 1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def motion_colours(motion: MotionField) -> NDArray[np.uint8]:
    """Content velocity as colour, uint8 RGB of the coded size: hue is direction, white stands still, grey is intra."""
    field = velocity(motion)  # (H/4, W/4, xy)
    speed = np.minimum(np.hypot(field[..., 0], field[..., 1]) / FASTEST, 1.0)[..., None]
    angle = np.arctan2(field[..., 1], field[..., 0])[..., None]
    hue = 0.5 + 0.5 * np.cos(angle + np.array([0, 2, 4]) * np.pi / 3)
    colours = 255 * (1 - speed + speed * hue)
    colours[motion.intra] = 128
    return colours.astype(np.uint8).repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
