"""The TEAM module: feature maps of several modalities weighted by what all of them show (Wang et al. 2021, section 3).

Channel fusion weights each channel, spatial fusion each position, of modality i by a gate in (0, 1) that is computed
from all of them. Equations 2, 3 and 6 name weights and no biases, and there are none here.

What the paper leaves open, and what is chosen:

- The reduction r of eq. 2. The text only points to Hu et al. 2018, whose r is 16; the code that the authors published
  has 4, and Table 1 was made with it: 4 is the default. C_z / r is rounded down.
- Eq. 6 keeps H x W, so its 3 x 3 kernels see a border of zeros.
- TEAM_c+s of Table 3 is "parallel", without a formula. Here both modules read F_i and their outputs are added,
  F_i * z_c,i + F_i * z_s,i; in TEAM_s->c equations 1 to 4 read the output of equations 5 to 7.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import torch
from torch import Tensor, nn

ARRANGEMENTS: Dict[str, Tuple[str, ...]] = {
    "c": ("channel",),
    "s": ("spatial",),
    "c+s": ("channel", "spatial"),
    "s->c": ("spatial", "channel"),
    "c->s": ("channel", "spatial"),
}
"""The fusions of each column of Table 3, in their order."""


class ChannelFusion(nn.Module):
    """Eq. 1 to 4: maps F_i (B, C_i, H, W) of each modality to F_i * z_c,i of the same shapes.

    `squeeze.weight` is W_c transposed; the rows of `expand.weight` are those of every W_c,i transposed, in order.
    """

    def __init__(self, channels: Sequence[int], reduction: int) -> None:
        super().__init__()
        self.channels = list(channels)
        joint = sum(channels)  # C_z
        squeezed = max(1, joint // reduction)
        self.squeeze = nn.Linear(joint, squeezed, bias=False)
        self.expand = nn.Linear(squeezed, joint, bias=False)

    def forward(self, maps: List[Tensor]) -> List[Tensor]:
        joint = torch.cat([each.mean((2, 3)) for each in maps], 1)  # (B, C_z), eq. 1
        squeezed = torch.relu(self.squeeze(joint))  # (B, C_z / r), eq. 2
        gates = torch.sigmoid(self.expand(squeezed))[:, :, None, None].split(self.channels, 1)  # eq. 3
        return [each * gate for each, gate in zip(maps, gates)]  # eq. 4


class SpatialFusion(nn.Module):
    """Eq. 5 to 7: maps F_i (B, C_i, H, W) of each modality to F_i * z_s,i; `conv.weight[i]` is W_s,i."""

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(modalities, modalities, 3, padding=1, bias=False)

    def forward(self, maps: List[Tensor]) -> List[Tensor]:
        joint = torch.cat([each.mean(1, keepdim=True) for each in maps], 1)  # (B, 3, H, W), eq. 5
        gates = torch.sigmoid(self.conv(joint)).split(1, 1)  # (B, 1, H, W) each, eq. 6
        return [each * gate for each, gate in zip(maps, gates)]  # eq. 7


class TeamModule(nn.Module):
    """Both fusions as one of `ARRANGEMENTS` says, for modalities of `channels` channels and one size."""

    def __init__(self, channels: Sequence[int], arrangement: str, reduction: int) -> None:
        super().__init__()
        self.arrangement = arrangement
        for name in ARRANGEMENTS[arrangement]:
            self.add_module(
                name, ChannelFusion(channels, reduction) if name == "channel" else SpatialFusion(len(channels))
            )

    def forward(self, maps: List[Tensor]) -> List[Tensor]:
        fusions: List[Any] = list(self.children())
        if self.arrangement == "c+s":
            return [torch.add(*both) for both in zip(*(fusion(maps) for fusion in fusions))]
        for fusion in fusions:
            maps = fusion(maps)
        return maps
