"""What a network is trained on: T sampled pictures of each clip, prepared."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Optional

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClipBatch:
    """Prepared float32 inputs of N clips x T segments, each clip's in display order.

    `image` and `adjacent_image` (N, T, 3, h, w): I-pictures of the sampled window and of its neighbour;
    `motion` (N, T, 2, h, w): velocity; `residual` (N, T, 3, h, w). `labels` int64 (N,). `flow` (N, T, 2, h, w):
    optical flow of the same pictures in the units of `motion`, where a loss asks for it. `frame` (N, T, 3, h, w):
    the sampled pictures themselves, decoded, and `intra` (N, T, 1, h, w): the share of their area that is coded intra,
    where a stage takes them. `lengths` int64 (N,): how many segments are the clip's own, where they differ: those
    behind them are there for the shape alone.
    """

    image: Tensor
    adjacent_image: Tensor
    motion: Tensor
    residual: Tensor
    labels: Tensor
    flow: Optional[Tensor] = None
    frame: Optional[Tensor] = None
    intra: Optional[Tensor] = None
    lengths: Optional[Tensor] = None

    def __post_init__(self) -> None:
        lead = self.motion.shape[:2]
        for name, channels in (("image", 3), ("adjacent_image", 3), ("motion", 2), ("residual", 3)):
            got = getattr(self, name).shape
            if got[:3] != (*lead, channels):
                raise ValueError(f"ClipBatch.{name}: got shape {tuple(got)}, expected {(*lead, channels)} first")
        size = self.motion.shape[3:]
        for name, channels in (("flow", 2), ("frame", 3), ("intra", 1)):
            value, expected = getattr(self, name), (*lead, channels, *size)
            if value is not None and tuple(value.shape) != expected:
                raise ValueError(f"ClipBatch.{name}: got shape {tuple(value.shape)}, expected {expected}")

    def mean(self, scores: Tensor) -> Tensor:
        """The mean (N, ...) over each clip's own segments of what each has (N, T, ...)."""
        if self.lengths is None:
            return scores.mean(1)
        places = torch.arange(scores.shape[1], device=scores.device)
        own = (places < self.lengths[:, None]).to(scores.dtype) / self.lengths[:, None]  # (N, T)
        return torch.einsum("nt,nt...->n...", own, scores)

    def to(self, device: torch.device) -> ClipBatch:
        """The batch on a device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {name: value.to(device, non_blocking=True) for name, value in values.items() if value is not None}
        return ClipBatch(**moved)
