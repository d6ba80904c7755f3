"""EfficientNet (Tan and Le 2019), with the state dict that torchvision publishes, or in its Lite form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from edgecvar.errors import unknown_name
from edgecvar.nets.backbones.efficientnet_lite import HEAD_CHANNELS, LiteConvNorm


class BackboneOptions(BaseModel):
    """Width and depth multipliers of B0, and the drop probabilities; B1 is depth 1.1. `lite`: EfficientNet-Lite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: float = Field(default=1.0, gt=0, le=4)
    depth: float = Field(default=1.0, gt=0, le=4)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    stochastic_depth: float = Field(default=0.2, ge=0, lt=1)
    lite: bool = False

    def repeats(self) -> Tuple[int, ...]:
        """Blocks of each row; EfficientNet-Lite scales neither the first nor the last."""
        ends = (0, len(B0_ROWS) - 1) if self.lite else ()
        scaled = [row.repeats if place in ends else self.depth * row.repeats for place, row in enumerate(B0_ROWS)]
        return tuple(math.ceil(each) for each in scaled)

    def stem_channels(self) -> int:
        """After the first convolution."""
        return scaled_channels(STEM_CHANNELS, 1.0 if self.lite else self.width)

    def head_channels(self) -> int:
        """After the last convolution, the backbone's own."""
        return HEAD_CHANNELS if self.lite else HEAD_EXPANSION * scaled_channels(B0_ROWS[-1].channels, self.width)


BACKBONES = {
    "efficientnet_b0": BackboneOptions(width=1.0, depth=1.0),
    "efficientnet_b1": BackboneOptions(width=1.0, depth=1.1),
    "lite0": BackboneOptions(width=1.0, depth=1.0, lite=True),
    "lite1": BackboneOptions(width=1.0, depth=1.1, lite=True),
    "lite2": BackboneOptions(width=1.1, depth=1.2, dropout=0.3, lite=True),
}


def backbone_options(value: Any) -> Any:
    """The options that a backbone's name stands for; anything but a name is passed on."""
    if not isinstance(value, str):
        return value
    if value not in BACKBONES:
        raise unknown_name("backbone", value, BACKBONES)
    return BACKBONES[value]


@dataclass(frozen=True)
class Row:
    """One row of B0's table (Tan and Le 2019, table 1): `repeats` blocks, the first with `stride`."""

    expand: int
    kernel: int
    stride: int
    channels: int
    repeats: int


STEM_CHANNELS = 32
B0_ROWS = (
    Row(1, 3, 1, 16, 1),
    Row(6, 3, 2, 24, 2),
    Row(6, 5, 2, 40, 2),
    Row(6, 3, 2, 80, 3),
    Row(6, 5, 1, 112, 3),
    Row(6, 5, 2, 192, 4),
    Row(6, 3, 1, 320, 1),
)
HEAD_EXPANSION = 4  # 320 -> 1280 channels


def scaled_channels(channels: int, width: float) -> int:
    """`channels` x `width` to the nearest multiple of 8, never more than a tenth below the exact product."""
    exact = channels * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * exact else rounded + 8


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless it is a projection, SiLU; the side shrinks to ceil(side / stride)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        layers: List[nn.Module] = [conv, nn.BatchNorm2d(outputs)]
        super().__init__(*layers, *([nn.SiLU()] if act else []))


class SqueezeExcitation(nn.Module):
    """Each channel scaled by a gate in (0, 1) computed from the means of all (Hu et al. 2018)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        means = maps.mean((2, 3), keepdim=True)  # (B, C, 1, 1)
        return maps * torch.sigmoid(self.fc2(nn.functional.silu(self.fc1(means))))


class InvertedResidual(nn.Module):
    """MBConv: expand, depthwise, squeeze and excite, project; skipped at random per sample when training.

    `lite`: without the squeeze and excitation. `forward` takes what enters these layers where it isn't the maps that
    the shortcut adds (`nets/modules/temporal_shift.py`).
    """

    def __init__(self, row: Row, inputs: int, outputs: int, stride: int, drop: float, lite: bool = False) -> None:
        super().__init__()
        conv_norm = LiteConvNorm if lite else ConvNorm
        inner = inputs if row.expand == 1 else scaled_channels(inputs * row.expand, 1.0)
        layers: List[nn.Module] = [] if inner == inputs else [conv_norm(inputs, inner, 1)]
        layers.append(conv_norm(inner, inner, row.kernel, stride=stride, groups=inner))
        if not lite:
            layers.append(SqueezeExcitation(inner, max(1, inputs // 4)))
        layers.append(conv_norm(inner, outputs, 1, act=False))
        self.block = nn.Sequential(*layers)
        self.identity = stride == 1 and inputs == outputs
        self.drop = drop

    def forward(self, maps: Tensor, entering: Optional[Tensor] = None) -> Tensor:
        out: Tensor = self.block(maps if entering is None else entering)
        if not self.identity:
            return out
        if self.training and self.drop > 0:
            mask = torch.empty(out.shape[0], 1, 1, 1, dtype=out.dtype, device=out.device)
            out = out * mask.bernoulli_(1 - self.drop).div_(1 - self.drop)
        return out + maps


class EfficientNet(nn.Module):
    """(B, in_channels, h, w) to feature maps (B, channels, h', w'), or to (B, classes) with a classifier.

    h' and w' are `map_side` of h and w. `classes` None leaves the classifier out.
    """

    def __init__(self, options: BackboneOptions, in_channels: int = 3, classes: Optional[int] = None) -> None:
        super().__init__()
        self.options = options
        conv_norm = LiteConvNorm if options.lite else ConvNorm
        repeats, channels = options.repeats(), options.stem_channels()
        layers: List[nn.Module] = [conv_norm(in_channels, channels, 3, stride=2)]
        built = 0
        for row, count in zip(B0_ROWS, repeats):
            blocks = []
            for place in range(count):
                drop = options.stochastic_depth * built / sum(repeats)
                outputs = scaled_channels(row.channels, options.width)
                stride = row.stride if place == 0 else 1
                blocks.append(InvertedResidual(row, channels, outputs, stride, drop, options.lite))
                channels, built = outputs, built + 1
            layers.append(nn.Sequential(*blocks))
        self.channels = options.head_channels()
        self.features = nn.Sequential(*layers, conv_norm(channels, self.channels, 1))
        self.classifier: Optional[nn.Sequential] = None
        if classes is not None:
            self.classifier = nn.Sequential(nn.Dropout(options.dropout), nn.Linear(self.channels, classes))
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.features(images)
        return maps if self.classifier is None else self.classifier(maps.mean((2, 3)))


def map_side(side: int) -> int:
    """Side of the feature maps for an input side: halved five times, rounded up."""
    for _ in range(1 + sum(row.stride == 2 for row in B0_ROWS)):
        side = -(-side // 2)
    return side


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        bound = module.out_features**-0.5
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.zeros_(module.bias)
