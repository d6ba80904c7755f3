"""I3D-ResNet: a ResNet whose kernels also see time, started from the 2D network's weights by inflation.

Inflation repeats a 2D kernel along time and divides by the kernel's length (Carreira and Zisserman 2017, section 2.4),
so that a static clip gives the maps of the 2D network. That is exact for positions whose kernels see the clip alone:
at both ends of a clip they also see padding, which is zero.

Which kernels see time is Wang et al. 2018 (Non-local neural networks, section 4 and table 1): the first 1 x 1 of a
bottleneck becomes 3 x 1 x 1, "(a) the Bottleneck Block" of Li et al. 2022, fig. 3. They inflate every other block;
the pattern of published I3D-ResNet-50s is taken: each in layer1, the 1st, 3rd and 5th in layer2 and layer3, the 2nd in
layer4, and 5 x 7 x 7 in the stem. It has 27.5 M parameters for 5 channels and 101 classes, which is what Li et al.
2022, table 3, print for their B1. (3 x 1 x 1 in every block would make it 32.4 M.)

Time is never strided: clips are 8 samples of a whole video, and Li et al.'s interaction units need both streams at
one length. `pool` 2 halves it after layer1, as Wang et al.'s pool2 does.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from edgecvar.errors import unknown_name
from edgecvar.nets.backbones.resnet import EXPANSION, ResidualBlock, ResNetOptions, layer_channels


class ResNet3dOptions(BaseModel):
    """A bottleneck ResNet's `repeats` and `width`, and the kernel lengths in time.

    `kernels`: of the first convolution of the blocks of each layer, repeated until every block has one. `stem_kernel`:
    of the stem. `pool`: by how much time is pooled after layer1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repeats: Tuple[int, int, int, int] = (3, 4, 6, 3)
    width: float = Field(default=1.0, gt=0, le=4)
    kernels: Tuple[Tuple[int, ...], Tuple[int, ...], Tuple[int, ...], Tuple[int, ...]] = ((3,), (3, 1), (3, 1), (1, 3))
    stem_kernel: int = Field(default=5, ge=1, le=7)
    pool: int = Field(default=1, ge=1, le=2)

    @property
    def flat(self) -> ResNetOptions:
        """The 2D network whose weights it can start from."""
        return ResNetOptions(block="bottleneck", repeats=self.repeats, width=self.width)


RESNETS_3D: Dict[str, ResNet3dOptions] = {"i3d_resnet50": ResNet3dOptions()}


def resnet3d_options(value: Any) -> Any:
    """The options that a name stands for; anything but a name is passed on."""
    if not isinstance(value, str):
        return value
    if value not in RESNETS_3D:
        raise unknown_name("backbone", value, RESNETS_3D)
    return RESNETS_3D[value]


class Bottleneck3d(ResidualBlock):
    """kernel x 1 x 1, 1 x 3 x 3 and 1 x 1 x 1 convolutions (Li et al. 2022, fig. 3 a); the 1 x 3 x 3 has the stride.

    (B, inputs, T, h, w) to (B, 4 * channels, T, h / stride, w / stride).
    """

    def __init__(self, inputs: int, channels: int, stride: int, kernel: int) -> None:
        super().__init__()
        outputs = channels * EXPANSION["bottleneck"]
        self.conv1 = nn.Conv3d(inputs, channels, (kernel, 1, 1), padding=(kernel // 2, 0, 0), bias=False)
        self.bn1 = nn.BatchNorm3d(channels)
        self.conv2 = nn.Conv3d(channels, channels, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
        self.bn2 = nn.BatchNorm3d(channels)
        self.conv3 = nn.Conv3d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = projection3d(inputs, outputs, stride)

    def branch(self, maps: Tensor) -> Tensor:
        inner = self.relu(self.bn1(self.conv1(maps)))
        inner = self.relu(self.bn2(self.conv2(inner)))
        out: Tensor = self.bn3(self.conv3(inner))
        return out


MakeBlock3d = Callable[[int, int, int, int], nn.Module]
"""A block from its input channels, channels before expansion, spatial stride and kernel length in time."""


class ResNet3d(nn.Module):
    """(B, in_channels, T, h, w) to feature maps (B, channels, T, h', w'), or to (B, classes) with a classifier.

    Names are those of `ResNet`, and `layer_channels` and `make_block` mean the same. T is halved by `pool` 2.
    """

    def __init__(
        self,
        options: Union[ResNet3dOptions, str],
        in_channels: int = 3,
        classes: Optional[int] = None,
        make_block: MakeBlock3d = Bottleneck3d,
    ) -> None:
        super().__init__()
        plan: ResNet3dOptions = resnet3d_options(options)
        inputs = layer_channels(plan.flat)
        self.options, self.layer_channels, self.channels = plan, inputs, inputs[-1]
        length = plan.stem_kernel
        self.conv1 = nn.Conv3d(in_channels, inputs[0], (length, 7, 7), (1, 2, 2), (length // 2, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(inputs[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        for place, repeats in enumerate(plan.repeats):
            outputs, lengths = inputs[place + 1], plan.kernels[place]
            channels = outputs // EXPANSION["bottleneck"]
            blocks = [make_block(inputs[place], channels, 1 if place == 0 else 2, lengths[0])]
            blocks += [make_block(outputs, channels, 1, lengths[each % len(lengths)]) for each in range(1, repeats)]
            if place == 0 and plan.pool > 1:
                blocks.append(nn.MaxPool3d((plan.pool, 1, 1)))
            self.add_module(f"layer{place + 1}", nn.Sequential(*blocks))
        self.fc = None if classes is None else nn.Linear(self.channels, classes)
        self.apply(_initialise)

    def stem(self, clips: Tensor) -> Tensor:
        """conv1 and the pooling after it: (B, in_channels, T, h, w) to (B, 64 * width, T, h / 4, w / 4)."""
        maps: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(clips))))
        return maps

    def layers(self) -> List[nn.Module]:
        """layer1, with the pooling after it where there is one, to layer4."""
        return [self.get_submodule(f"layer{place}") for place in range(1, 5)]

    def forward(self, clips: Tensor) -> Tensor:
        maps = self.stem(clips)
        for layer in self.layers():
            maps = layer(maps)
        return maps if self.fc is None else self.fc(maps.mean((2, 3, 4)))


def inflate(state: Mapping[str, Tensor], network: nn.Module) -> Dict[str, Tensor]:
    """A 2D state dict with each kernel that has a length in `network` repeated along time and divided by it.

    What `network` does not have, or has in two dimensions, is handed on as it is.
    """
    own = network.state_dict()
    return {name: _inflated(tensor, own[name]) if name in own else tensor for name, tensor in state.items()}


def _inflated(flat: Tensor, like: Tensor) -> Tensor:
    if flat.ndim != 4 or like.ndim != 5:
        return flat
    length = like.shape[2]
    return flat[:, :, None].repeat(1, 1, length, 1, 1) / length  # (out, in, T, h, w)


def projection3d(inputs: int, outputs: int, stride: int) -> Optional[nn.Sequential]:
    """The shortcut where shapes differ, a 1 x 1 x 1 convolution; None elsewhere."""
    if stride == 1 and inputs == outputs:
        return None
    conv = nn.Conv3d(inputs, outputs, 1, (1, stride, stride), bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(outputs))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
