"""What a network is trained on: T sampled pictures of each clip, prepared."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ClipBatch:
    """Prepared float32 inputs of N clips x T segments.

    `image` and `adjacent_image` (N, T, 3, h, w): I-pictures of the sampled window and of its neighbour;
    `motion` (N, T, 2, h, w): velocity; `residual` (N, T, 3, h, w). `labels` int64 (N,).
    """

    image: Tensor
    adjacent_image: Tensor
    motion: Tensor
    residual: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        lead = self.motion.shape[:2]
        for name, channels in (("image", 3), ("adjacent_image", 3), ("motion", 2), ("residual", 3)):
            got = getattr(self, name).shape
            if got[:3] != (*lead, channels):
                raise ValueError(f"ClipBatch.{name}: got shape {tuple(got)}, expected {(*lead, channels)} first")
