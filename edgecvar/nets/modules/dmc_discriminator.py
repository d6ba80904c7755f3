"""DMC-Net's discriminator, which tells generated motion from optical flow (Shou et al. 2019, eq. 2 and 3, figure 6).

Figure 6 is a stack of 2D convolutions that ends in a two-way linear layer. Its sizes are in the drawing alone; the
text (section 7.2) says that they were found by trying filters and depths of a public GAN collection. Taken here are
those of the authors' released runs on HMDB-51 and UCF-101: four times three convolutions of 3 x 3 with 16, 32, 64 and
128 filters, the first of three with stride 2, each followed by LeakyReLU(0.2), channel dropout of 1/4 and, but for the
very first, batch norm; then a linear layer over all 128 x h/16 x w/16 values. The batch norm's epsilon is the usual
one: the collection's 0.8 stands where an epsilon is read and has a momentum's value.

It is there while training alone, and no part of the network that is deployed.
"""

from __future__ import annotations

from typing import List

from torch import Tensor, nn

FILTERS = (16, 32, 64, 128)
LAYERS = 3
"""Convolutions of each width."""
SLOPE, DROPOUT = 0.2, 0.25


class Discriminator(nn.Module):
    """Cues or flows (B, 2, height, width) to logits (B, 2): of fake and of real."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        layers: List[nn.Module] = []
        channels = 2
        for filters in FILTERS:
            for place in range(LAYERS):
                first = not layers
                stride = 2 if place == 0 else 1
                layers += [nn.Conv2d(channels, filters, 3, stride, 1), nn.LeakyReLU(SLOPE), nn.Dropout2d(DROPOUT)]
                layers += [] if first else [nn.BatchNorm2d(filters)]
                channels = filters
            height, width = -(-height // 2), -(-width // 2)
        self.features = nn.Sequential(*layers)
        self.linear = nn.Linear(channels * height * width, 2)

    def forward(self, motion: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.features(motion).flatten(1))  # (B, 128, h/16, w/16) to (B, 2)
        return logits
