"""ResNet (He et al. 2016), with the parameter names and shapes that torchvision publishes.

The stride of a bottleneck lies in its 3 x 3 convolution, as torchvision has it; the paper has it in the first 1 x 1,
which makes ResNet-50 3.8 G multiply-adds for 224 x 224 instead of the 4.1 G here.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Literal, Optional, Tuple, Union

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from edgecvar.errors import unknown_name

STEM_CHANNELS = 64
LAYER_CHANNELS = (64, 128, 256, 512)
EXPANSION = {"basic": 1, "bottleneck": 4}


class ResNetOptions(BaseModel):
    """One column of He et al. 2016, table 1: the block and how many of it each layer has; `width` scales channels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    block: Literal["basic", "bottleneck"] = "basic"
    repeats: Tuple[int, int, int, int] = (2, 2, 2, 2)
    width: float = Field(default=1.0, gt=0, le=4)


RESNETS: Dict[str, ResNetOptions] = {
    "resnet18": ResNetOptions(block="basic", repeats=(2, 2, 2, 2)),
    "resnet34": ResNetOptions(block="basic", repeats=(3, 4, 6, 3)),
    "resnet50": ResNetOptions(block="bottleneck", repeats=(3, 4, 6, 3)),
    "resnet101": ResNetOptions(block="bottleneck", repeats=(3, 4, 23, 3)),
    "resnet152": ResNetOptions(block="bottleneck", repeats=(3, 8, 36, 3)),
}


def resnet_options(value: Any) -> Any:
    """The options that a ResNet's name stands for; anything but a name is passed on."""
    if not isinstance(value, str):
        return value
    if value not in RESNETS:
        raise unknown_name("backbone", value, RESNETS)
    return RESNETS[value]


class ResidualBlock(nn.Module):
    """relu(branch(x) + shortcut(x)); a network that changes the branch overrides `branch` and keeps the names."""

    downsample: Optional[nn.Sequential]
    relu: nn.Module

    def branch(self, maps: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, channels * expansion, h / stride, w / stride), before the last ReLU."""
        raise NotImplementedError

    def shortcut(self, maps: Tensor) -> Tensor:
        """The block's input in the shape of its output."""
        return maps if self.downsample is None else self.downsample(maps)

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = self.relu(self.branch(maps) + self.shortcut(maps))
        return out


class BasicBlock(ResidualBlock):
    """Two 3 x 3 convolutions (He et al. 2016, fig. 5 left)."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = projection(inputs, channels, stride)

    def branch(self, maps: Tensor) -> Tensor:
        inner = self.relu(self.bn1(self.conv1(maps)))
        out: Tensor = self.bn2(self.conv2(inner))
        return out


class Bottleneck(ResidualBlock):
    """1 x 1, 3 x 3 and 1 x 1 convolutions (He et al. 2016, fig. 5 right); the 3 x 3 has the stride."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        outputs = channels * EXPANSION["bottleneck"]
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = projection(inputs, outputs, stride)

    def branch(self, maps: Tensor) -> Tensor:
        inner = self.relu(self.bn1(self.conv1(maps)))
        inner = self.relu(self.bn2(self.conv2(inner)))  # (B, channels, h / stride, w / stride)
        out: Tensor = self.bn3(self.conv3(inner))
        return out


MakeBlock = Callable[[int, int, int], nn.Module]
"""A block from its input channels, its channels before expansion, and its stride."""

BLOCKS: Dict[str, MakeBlock] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResNet(nn.Module):
    """(B, in_channels, h, w) to feature maps (B, channels, h', w'), or to (B, classes) with a classifier.

    h' and w' are `resnet_side` of h and w. `classes` None leaves the classifier out. `make_block` builds the blocks
    where they are not the plain ones. `layer_channels` are the channels after the stem and after each layer.
    """

    def __init__(
        self,
        options: Union[ResNetOptions, str],
        in_channels: int = 3,
        classes: Optional[int] = None,
        make_block: Optional[MakeBlock] = None,
    ) -> None:
        super().__init__()
        plan: ResNetOptions = resnet_options(options)
        inputs, outputs = layer_channels(plan), layer_channels(plan)[1:]
        make = make_block or BLOCKS[plan.block]
        self.options, self.layer_channels, self.channels = plan, inputs, inputs[-1]
        self.conv1 = nn.Conv2d(in_channels, inputs[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for place, repeats in enumerate(plan.repeats):
            channels = outputs[place] // EXPANSION[plan.block]
            blocks = [make(inputs[place], channels, 1 if place == 0 else 2)]
            blocks += [make(outputs[place], channels, 1) for _ in range(repeats - 1)]
            self.add_module(f"layer{place + 1}", nn.Sequential(*blocks))
        self.fc = None if classes is None else nn.Linear(self.channels, classes)
        self.apply(_initialise)

    def stem(self, images: Tensor) -> Tensor:
        """conv1 and the pooling after it: (B, in_channels, h, w) to (B, 64 * width, h / 4, w / 4)."""
        maps: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return maps

    def layers(self) -> List[nn.Module]:
        """layer1 to layer4, the paper's conv2_x to conv5_x."""
        return [self.get_submodule(f"layer{place}") for place in range(1, len(LAYER_CHANNELS) + 1)]

    def parts(self) -> List[nn.Module]:
        """What runs in turn, before the classifier."""
        return [self.conv1, self.bn1, self.relu, self.maxpool, *self.layers()]

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)
        for layer in self.layers():
            maps = layer(maps)
        return maps if self.fc is None else self.fc(maps.mean((2, 3)))


def layer_channels(options: ResNetOptions) -> Tuple[int, ...]:
    """Channels after the stem and after layer1 to layer4; before expansion multiples of 8."""
    stem = _scaled(STEM_CHANNELS, options.width)
    return (stem, *(_scaled(each, options.width) * EXPANSION[options.block] for each in LAYER_CHANNELS))


def resnet_side(side: int, layer: int = 4) -> int:
    """Side of the maps after `layer` (0: the stem) for an input side, each halving rounded up."""
    for _ in range(2 + max(0, layer - 1)):
        side = -(-side // 2)
    return side


def projection(inputs: int, outputs: int, stride: int) -> Optional[nn.Sequential]:
    """The shortcut where shapes differ, a 1 x 1 convolution (He et al. 2016, section 3.3, option B); None elsewhere."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def _scaled(channels: int, width: float) -> int:
    return max(8, int(channels * width + 4) // 8 * 8)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
