"""MobileNetV2 (Sandler et al. 2018), with the parameter names and shapes that torchvision publishes.

Table 2 of the paper: a first convolution with stride 2, seven rows of inverted residual blocks, a last 1 x 1
convolution. `width` scales all channels but the last 1280, which only grows (section 4.1, "width multiplier").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from edgecvar.nets.backbones.efficientnet import scaled_channels

STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
DROPOUT = 0.2
"""Before the classifier that torchvision publishes; without weights, so it counts only where one is asked for."""


@dataclass(frozen=True)
class Row:
    """One row of table 2: `repeats` (n) blocks that expand by `expand` (t), the first with `stride` (s)."""

    expand: int
    channels: int
    repeats: int
    stride: int


ROWS = (
    Row(1, 16, 1, 1),
    Row(6, 24, 2, 2),
    Row(6, 32, 3, 2),
    Row(6, 64, 4, 2),
    Row(6, 96, 3, 1),
    Row(6, 160, 3, 2),
    Row(6, 320, 1, 1),
)


class MobileNetOptions(BaseModel):
    """`kind` tells it from other backbones where a network takes any; `width` scales channels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mobilenet_v2"]
    width: float = Field(default=1.0, gt=0, le=4)


MOBILENETS = {"mobilenet_v2": MobileNetOptions(kind="mobilenet_v2")}


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and ReLU6; the side shrinks to ceil(side / stride)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class LinearBottleneck(nn.Module):
    """Expand, depthwise 3 x 3, project without an activation (table 1); `identity`: its input is added.

    `expands`: its first layer is a 1 x 1 convolution. `forward` takes what enters the layers where it isn't the maps
    that the shortcut adds (`nets/modules/temporal_shift.py`).
    """

    def __init__(self, row: Row, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = inputs * row.expand
        self.expands = row.expand != 1
        layers: List[nn.Module] = [ConvNorm(inputs, inner, 1)] if self.expands else []
        layers += [ConvNorm(inner, inner, 3, stride, inner), nn.Conv2d(inner, outputs, 1, bias=False)]
        self.conv = nn.Sequential(*layers, nn.BatchNorm2d(outputs))
        self.identity = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor, entering: Optional[Tensor] = None) -> Tensor:
        out: Tensor = self.conv(maps if entering is None else entering)
        return out + maps if self.identity else out


class MobileNetV2(nn.Module):
    """(B, in_channels, h, w) to feature maps (B, channels, h / 32, w / 32), or to (B, classes) with a classifier.

    Sides are rounded up each time they are halved. `classes` None leaves the classifier out.
    """

    def __init__(self, options: MobileNetOptions, in_channels: int = 3, classes: Optional[int] = None) -> None:
        super().__init__()
        self.options = options
        channels = scaled_channels(STEM_CHANNELS, options.width)
        layers: List[nn.Module] = [ConvNorm(in_channels, channels, 3, 2)]
        for row in ROWS:
            outputs = scaled_channels(row.channels, options.width)
            for place in range(row.repeats):
                layers.append(LinearBottleneck(row, channels, outputs, row.stride if place == 0 else 1))
                channels = outputs
        self.channels = scaled_channels(HEAD_CHANNELS, max(1.0, options.width))
        self.features = nn.Sequential(*layers, ConvNorm(channels, self.channels, 1))
        self.classifier: Optional[nn.Sequential] = None
        if classes is not None:
            self.classifier = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(self.channels, classes))
        self.apply(_initialise)

    def parts(self) -> List[nn.Module]:
        """What runs in turn, before the classifier."""
        return list(self.features)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.features(images)
        return maps if self.classifier is None else self.classifier(maps.mean((2, 3)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
        nn.init.zeros_(module.bias)
