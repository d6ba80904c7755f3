"""Prepared clips of numbers that are known."""

from __future__ import annotations

import numpy as np

from edgecvar.train.data.prepared import PreparedClip


def clip_of(motion: np.ndarray, flow: bool = False, frame: bool = False) -> PreparedClip:
    """That motion (T, 2, h, w) with images, residuals and shares of intra area of noise."""
    rng = np.random.default_rng(0)
    samples, _, height, width = motion.shape
    image, adjacent, residual, shown = rng.standard_normal((4, samples, 3, height, width), dtype=np.float32)
    motion = motion.astype(np.float32)
    intra = rng.random((samples, 1, height, width), dtype=np.float32)
    other = motion.copy() if flow else None, shown if frame else None
    return PreparedClip(image, adjacent, motion, residual, *other, intra)
