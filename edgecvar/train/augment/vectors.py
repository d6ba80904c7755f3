"""Changes of a clip's vectors alone: their length, those that an encoder did not find, those it found not quite."""

from __future__ import annotations

from dataclasses import replace
from typing import Tuple

import numpy as np

from edgecvar.clips.spec import MOTION_LIMIT
from edgecvar.train.data.prepared import Array, PreparedClip

BLOCKS = 16
"""Blocks along the view's height: about macroblocks of a picture of 256 lines."""


def faster(clip: PreparedClip, factor: float, limit: float = MOTION_LIMIT) -> PreparedClip:
    """Velocity times a factor. Residuals stay: what prediction misses follows the quantiser more than the speed."""
    flow = None if clip.flow is None else _within(clip.flow * np.float32(factor), limit)
    return replace(clip, motion=_within(clip.motion * np.float32(factor), limit), flow=flow)


def without_blocks(clip: PreparedClip, share: float, rng: np.random.Generator) -> PreparedClip:
    """Blocks of each picture stand still with a probability of `share`, as intra blocks do; flow is what it was."""
    kept = rng.random((len(clip.motion), 1, *_blocks(clip.motion))) >= share
    return replace(clip, motion=clip.motion * _spread(kept.astype(np.float32), clip.motion))


def noisy(clip: PreparedClip, deviation: float, rng: np.random.Generator, limit: float = MOTION_LIMIT) -> PreparedClip:
    """Each block's vector is off by so much, normally distributed along both axes; flow is what it was."""
    off = rng.standard_normal((*clip.motion.shape[:2], *_blocks(clip.motion)), dtype=np.float32)
    return replace(clip, motion=_within(clip.motion + _spread(off * np.float32(deviation), clip.motion), limit))


def _blocks(field: Array) -> Tuple[int, int]:
    side = max(1, field.shape[2] // BLOCKS)
    return -(-field.shape[2] // side), -(-field.shape[3] // side)


def _spread(values: Array, field: Array) -> Array:
    """One value a block (T, C, rows, columns) to (T, C, h, w)."""
    height, width = field.shape[2:]
    side = max(1, height // BLOCKS)
    return values.repeat(side, axis=2)[:, :, :height].repeat(side, axis=3)[..., :width]


def _within(field: Array, limit: float) -> Array:
    return np.clip(field, -limit, limit)
