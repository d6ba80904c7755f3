"""Brightness with contrast of what a clip shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgecvar.clips.spec import InputSpec
from edgecvar.train.data.prepared import Array, PreparedClip, changed


def lit(clip: PreparedClip, brightness: float, contrast: float, spec: InputSpec) -> PreparedClip:
    """Images in which samples, of 0 to 1, are `contrast` times as far from 0.5, plus `brightness`; one for all.

    A residual is a difference of samples, so it takes the contrast. Vectors stay.
    """
    mean = np.array(spec.image_mean, np.float32)[:, None, None]
    deviation = np.array(spec.image_std, np.float32)[:, None, None]

    def relit(images: Array) -> Array:
        samples = (images * deviation + mean - np.float32(0.5)) * np.float32(contrast) + np.float32(0.5 + brightness)
        return np.asarray((np.clip(samples, 0, 1) - mean) / deviation, np.float32)

    return replace(
        clip,
        image=changed(clip.image, relit),
        adjacent=changed(clip.adjacent, relit),
        residual=changed(clip.residual, lambda residual: residual * np.float32(contrast)),
        frame=changed(clip.frame, relit),
    )
