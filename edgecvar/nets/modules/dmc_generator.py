"""DMC-Net's generator: motion vectors refined by the residual (Shou et al. 2019, section 3.2 and table 2).

    x_0 = [MV; R]                       5 channels
    x_k+1 = [x_k; lrelu(conv_k(x_k))]   13, 21, 27, 31, 33 channels, k = 0 to 4, slope 0.1
    G_DMC = MV + conv5(x_5)             the shortcut: conv5 predicts the refinement alone

Every convolution is 3 x 3 with stride 1, padding 1 and a bias. The table gives channels and not their order: what was
there stands before what a layer adds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

MOTION_CHANNELS, RESIDUAL_CHANNELS = 2, 3
FILTERS = (8, 8, 6, 4, 2, MOTION_CHANNELS)
"""Of conv0 to conv5."""
SLOPE = 0.1


class Generator(nn.Module):
    """MV (B, 2, h, w) and R (B, 3, h, w) to the discriminative motion cue (B, 2, h, w), in MV's units."""

    def __init__(self) -> None:
        super().__init__()
        channels = MOTION_CHANNELS + RESIDUAL_CHANNELS
        for place, filters in enumerate(FILTERS):
            self.add_module(f"conv{place}", nn.Conv2d(channels, filters, 3, padding=1))
            channels += filters

    def forward(self, motion: Tensor, residual: Tensor) -> Tensor:
        *dense, last = self.children()
        maps = torch.cat([motion, residual], 1)  # (B, 5, h, w)
        for conv in dense:
            maps = torch.cat([maps, functional.leaky_relu(conv(maps), SLOPE)], 1)
        cue: Tensor = motion + last(maps)  # (B, 33, h, w) to (B, 2, h, w)
        return cue
