"""A camera that is not there: a pattern that moves to the right, at the rate of a real one."""

from __future__ import annotations

import time
from fractions import Fraction
from threading import Event
from typing import Iterator

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from edgecvar.stream.sources.camera import CameraSettings
from edgecvar.stream.sources.encoded import Pictures

_STEPS = 80
"""Pictures in which it goes once through the picture."""
_GREY = 128


def moving_pattern(settings: CameraSettings) -> Pictures:
    """Its pictures; those that nobody took in time are left out."""

    def pictures(left: Event) -> Iterator[VideoFrame]:
        width, height = settings.size
        texture = _texture(width, height)
        whole = np.full((height * 3 // 2, width), _GREY, np.uint8)
        pixels = max(1, width // _STEPS)
        step, began, number = 1 / float(settings.fps), time.monotonic(), 0
        while not left.wait(max(0.0, began + number * step - time.monotonic())):
            whole[:height] = np.roll(texture, number * pixels % width, axis=1)
            frame = VideoFrame.from_ndarray(whole, format="yuv420p")
            frame.pts, frame.time_base = number, 1 / Fraction(settings.fps)
            yield frame
            number = max(number + 1, int((time.monotonic() - began) / step))

    return pictures


def _texture(width: int, height: int) -> NDArray[np.uint8]:
    """Smooth noise that goes on over its right edge."""
    noise = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1)).astype(np.float32)
    rough = np.kron(noise, np.ones((8, 8), np.float32))[:height, :width]
    smooth = sum(np.roll(rough, (down, right), (0, 1)) for down in range(8) for right in range(8)) / 64
    return np.asarray(smooth, np.float32).astype(np.uint8)
