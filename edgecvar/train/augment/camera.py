"""Motion of the camera in a clip's vectors: added as a smooth course over time, estimated, removed."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.spec import MOTION_LIMIT
from edgecvar.train.data.prepared import Array, PreparedClip

POINTS = 1024
"""Of a field, at most, that its global motion is estimated from."""
ROUNDS = 10
SPREADS = 3.0
"""Deviations from the fit, as many as their robust standard deviation, past which a place moves on its own."""
EXACT = 1e-3
"""Deviations below it are none, whatever their spread."""

Motion = NDArray[np.float64]
"""(2, 3): velocity (x, y) of a place is that times (1, x, y), with pixels from the middle of the view."""


def course(samples: int, pan: float, zoom: float, unit: float, rng: np.random.Generator) -> Motion:
    """(T, 2, 3): a camera that pans in one direction and zooms, each at a rate that swings at most once in the clip.

    `pan`: the fastest, in units of the motion input. `zoom`: the most growth a frame. `unit`: input pixels a frame for
    1.0 in the motion input.
    """
    direction = rng.uniform(0, 2 * np.pi)
    shift, growth = pan * _swing(samples, rng), zoom * _swing(samples, rng) / unit
    motion = np.zeros((samples, 2, 3))
    motion[:, 0, 0], motion[:, 1, 0] = shift * np.cos(direction), shift * np.sin(direction)
    motion[:, 0, 1] = motion[:, 1, 2] = growth
    return motion


def _swing(samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    time = np.linspace(0, 1, samples) if samples > 1 else np.zeros(1)
    return float(rng.random()) * np.cos(2 * np.pi * (rng.random() * time + rng.random()))


def with_camera(clip: PreparedClip, motion: Motion, limit: float = MOTION_LIMIT) -> PreparedClip:
    """Each picture's global motion (T, 2, 3) added to its vectors, which are cut at the limit.

    Residuals and images stay: prediction follows a moving camera, and images are one moment each.
    """
    moved = fields(motion, clip.motion)
    flow = None if clip.flow is None else _within(clip.flow + moved, limit)
    return replace(clip, motion=_within(clip.motion + moved, limit), flow=flow)


def without_camera(clip: PreparedClip, limit: float = MOTION_LIMIT) -> PreparedClip:
    """Each picture's own global motion taken away; places without a vector, such as intra blocks, stay without."""
    moved = fields(np.stack([global_motion(field) for field in clip.motion]), clip.motion)
    still = (clip.motion == 0).all(axis=1, keepdims=True)
    flow = None if clip.flow is None else _within(clip.flow - moved, limit)
    motion = np.where(still, np.float32(0), clip.motion - moved)
    return replace(clip, motion=_within(motion, limit), flow=flow)


def fields(motion: Motion, like: Array) -> Array:
    """(T, 2, h, w) of global motions (T, 2, 3)."""
    places = _places(*like.shape[2:])
    return (motion @ places).reshape(len(motion), 2, *like.shape[2:]).astype(np.float32)


def global_motion(field: Array) -> Motion:
    """The affine motion (2, 3) that most of a field (2, h, w) shares: least squares, again without what deviates.

    It begins with the median, so that up to half of the places may move on their own.
    """
    step = max(1, int(np.ceil(np.sqrt(field[0].size / POINTS))))
    velocity = field[:, ::step, ::step].reshape(2, -1).astype(np.float64)
    places = _places(*field.shape[1:]).reshape(3, *field.shape[1:])[:, ::step, ::step].reshape(3, -1)
    motion: Motion = np.zeros((2, 3))
    motion[:, 0] = np.median(velocity, axis=1)
    before: Optional[NDArray[np.bool_]] = None
    for _ in range(ROUNDS):
        off = np.hypot(*(velocity - motion @ places))
        shared = off <= max(SPREADS * 1.4826 * float(np.median(off)), EXACT)
        if before is not None and np.array_equal(shared, before):
            break
        before = shared
        motion = np.asarray(np.linalg.lstsq(places[:, shared].T, velocity[:, shared].T, rcond=None)[0].T, np.float64)
    return motion


def _places(height: int, width: int) -> NDArray[np.float64]:
    """(3, h * w): 1, x and y from the middle."""
    y, x = np.indices((height, width), dtype=np.float64)
    return np.stack([np.ones(height * width), x.ravel() - (width - 1) / 2, y.ravel() - (height - 1) / 2])


def _within(field: Array, limit: float) -> Array:
    return np.clip(field, -limit, limit).astype(np.float32)
