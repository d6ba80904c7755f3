"""The teacher of ATTP's motion branch and their last layers (Huo et al. 2020, eq. 8)."""

from __future__ import annotations

from torch import Tensor, nn

from edgecvar.nets.backbones.efficientnet import EfficientNet
from edgecvar.nets.features import LayerPair


class LastLayer(nn.Module):
    """Feature maps (B, c, h', w') to class scores: a LiteNet's fully connected layer (eq. 8, f^(fc))."""

    def __init__(self, channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, classes)

    def forward(self, maps: Tensor) -> Tensor:
        scores: Tensor = self.linear(self.dropout(maps.mean((2, 3))))
        return scores


class LiteNet(nn.Module):
    """LiteNet_OF, the teacher: optical flow (B, 2, h, w) to features before and after its last layer (eq. 8)."""

    def __init__(self, backbone: EfficientNet, last: LastLayer) -> None:
        super().__init__()
        self.backbone, self.last = backbone, last

    def forward(self, flow: Tensor) -> LayerPair:
        maps = self.backbone(flow)
        return LayerPair(maps, self.last(maps))
