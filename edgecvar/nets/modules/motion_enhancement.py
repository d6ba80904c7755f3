"""The Compressed Motion Enhancement network's blocks (Li et al. 2022, section 3.2, fig. 3 and table 3).

The network is an I3D-ResNet-50 with 5 input channels, MV and R concatenated, whose bottlenecks are Multi-Scale Blocks
with Denoising Modules,

    T_i     = Rep(AvgPool_T(X_i))                            (eq. 1)
    S_i     = UP(Conv_3x3(AvgPool_S,r(T_i))), r = 2^(i - 1)  (eq. 2)
    DM(X_i) = sigmoid(T_i + S_i) * X_i                       (eq. 3)
    Y_1 = X_1, Y_2 = ST_2(DM(X_2)), Y_i = ST_i(DM(X_i + Y_i-1)) for i = 3, 4

with the first convolution's channels split into X_1 to X_4, and ST_i a 3 x 3 convolution in space and one of length
2 i - 3 in time. What the paper leaves open, and what is chosen:

- AvgPool_T averages the whole clip. T_i and S_i are then the same for every t and are computed once a clip.
- AvgPool_S rounds sides down, as pooling does, and a map smaller than r is averaged whole: for 224 x 224 the last maps
  are 7 x 7 and r = 8. Conv_3x3 keeps the channels, has a bias and no normalisation, as eq. 2 has none.
- Both convolutions of ST_i are each followed by batch norm and ReLU, as the 3 x 3 of the bottleneck is.
- The stride of a block lies in its last convolution: X_1 meets no other, and X_i + Y_i-1 need one size.
- B1+DM of table 3 has one DM a block, after the ReLU that follows the 1 x 3 x 3; no r is given for it, and 2 is taken.
"""

from __future__ import annotations

from typing import Dict, List, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgecvar.nets.backbones.resnet import EXPANSION, ResidualBlock
from edgecvar.nets.backbones.resnet3d import Bottleneck3d, MakeBlock3d, projection3d

BRANCHES = 4
LENGTHS = (1, 3, 5)
"""2 i - 3 for i = 2, 3, 4: lengths of ST_i's kernels in time."""

FIXED_LENGTHS = (3, 3, 3)
"""Those of MSB*, "without varying temporal kernel" (section 4.4)."""

LONE_REDUCTION = 2
"""r of the DM that B1+DM puts after a whole 1 x 3 x 3 convolution."""


class DenoisingModule(nn.Module):
    """DM (eq. 1 to 3): maps (B, C, T, h, w) weighted by gates in (0, 1) that all of the clip's samples share."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.reduction = reduction
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        still = maps.mean(2)  # (B, C, h, w), T_i of any t
        sides = [still.shape[2], still.shape[3]]
        window = [min(self.reduction, side) for side in sides]
        spread = self.conv(functional.avg_pool2d(still, window, window))  # (B, C, h // r, w // r)
        spread = functional.interpolate(spread, size=sides, mode="bilinear", align_corners=False)  # S_i
        return torch.sigmoid(still + spread)[:, :, None] * maps


class SpaceTime(nn.Sequential):
    """ST_i: (B, C, T, h, w) through 1 x 3 x 3 and `length` x 1 x 1 convolutions to the same shape."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__(
            nn.Conv3d(channels, channels, (1, 3, 3), padding=(0, 1, 1), bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
            nn.Conv3d(channels, channels, (length, 1, 1), padding=(length // 2, 0, 0), bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
        )


class MultiScaleBlock(ResidualBlock):
    """MSB (fig. 3 b), with DM in branches 2 to 4 where `denoise`; the last convolution has the stride.

    (B, inputs, T, h, w) to (B, 4 * channels, T, h / stride, w / stride). `kernel`: length in time of the first
    convolution. Names are a bottleneck's where the layers are.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        stride: int,
        kernel: int,
        *,
        lengths: Tuple[int, ...] = LENGTHS,
        denoise: bool = True,
    ) -> None:
        super().__init__()
        outputs, part = channels * EXPANSION["bottleneck"], channels // BRANCHES
        self.conv1 = nn.Conv3d(inputs, channels, (kernel, 1, 1), padding=(kernel // 2, 0, 0), bias=False)
        self.bn1 = nn.BatchNorm3d(channels)
        self.dm = nn.ModuleList(
            DenoisingModule(part, 2 ** (place - 1)) if denoise else nn.Identity() for place in range(2, BRANCHES + 1)
        )
        self.st = nn.ModuleList(SpaceTime(part, length) for length in lengths)
        self.conv3 = nn.Conv3d(channels, outputs, 1, (1, stride, stride), bias=False)
        self.bn3 = nn.BatchNorm3d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = projection3d(inputs, outputs, stride)

    def branch(self, maps: Tensor) -> Tensor:
        inner = self.relu(self.bn1(self.conv1(maps)))
        first, second, *others = inner.chunk(BRANCHES, 1)  # (B, channels / 4, T, h, w) each
        scales: List[Tensor] = [first, self.st[0](self.dm[0](second))]
        for part, denoise, convolve in zip(others, self.dm[1:], self.st[1:]):
            scales.append(convolve(denoise(part + scales[-1])))
        out: Tensor = self.bn3(self.conv3(torch.cat(scales, 1)))
        return out


class DenoisedBottleneck(Bottleneck3d):
    """The block of B1+DM: a bottleneck with DM between its last two convolutions."""

    def __init__(self, inputs: int, channels: int, stride: int, kernel: int) -> None:
        super().__init__(inputs, channels, stride, kernel)
        self.dm = DenoisingModule(channels, LONE_REDUCTION)

    def branch(self, maps: Tensor) -> Tensor:
        inner = self.relu(self.bn1(self.conv1(maps)))
        inner = self.dm(self.relu(self.bn2(self.conv2(inner))))
        out: Tensor = self.bn3(self.conv3(inner))
        return out


def _fixed(inputs: int, channels: int, stride: int, kernel: int) -> nn.Module:
    return MultiScaleBlock(inputs, channels, stride, kernel, lengths=FIXED_LENGTHS, denoise=False)


def _plain(inputs: int, channels: int, stride: int, kernel: int) -> nn.Module:
    return MultiScaleBlock(inputs, channels, stride, kernel, denoise=False)


MOTION_BLOCKS: Dict[str, MakeBlock3d] = {
    "b1": Bottleneck3d,
    "b1+msb*": _fixed,
    "b1+msb": _plain,
    "b1+dm": DenoisedBottleneck,
    "cme": MultiScaleBlock,
}
"""The rows of table 3."""
