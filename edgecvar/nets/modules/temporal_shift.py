"""Temporal shift: the residual branch of a block reads some channels of the samples beside its own (Lin et al. 2019).

Offline, an eighth of the channels C comes from the next sample of a clip and an eighth from the previous one. Online
("Online Models with Uni-directional TSM"), an eighth comes from the previous sampled picture and nothing from the next:
a block with a shortcut, x_t + F(x_t), becomes

    y_t = x_t + F([x_t-1[: C / 8], x_t[C / 8 :]]),  x_-1 = 0

Which blocks: of EfficientNet those with a shortcut; of MobileNetV2 those of them that expand, and of a ResNet all, as
in the authors' released code.

A clip is shifted as a whole (`within_clips`). A stream goes picture by picture and keeps x_t[: C / 8] of each block for
the next one (`Kept`). The blocks stay as they are, under the names and with the weights that are published: who runs
them shifts (`shifted`).
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from edgecvar.nets.backbones.efficientnet import InvertedResidual
from edgecvar.nets.backbones.mobilenet import LinearBottleneck
from edgecvar.nets.backbones.resnet import BasicBlock, Bottleneck, ResidualBlock

SHIFTED_PART = 8
"""One channel in so many is shifted each way (Lin et al. 2019, section 3.2; "1/8 each")."""

Before = Callable[[Tensor], Tensor]
"""A block's first C / 8 channels (B, C / 8, h, w) to those of the pictures before; asked once by each block in turn."""


def temporal_shift(maps: Tensor, segments: int) -> Tensor:
    """(N * T, C, h, w) with C / 8 channels of the next and C / 8 of the previous sample, zeros where there is none.

    Lin et al. 2019, offline: the first channels come from the next sample, the ones after from the previous one.
    """
    clips = maps.unflatten(0, (-1, segments))  # (N, T, C, h, w)
    part = maps.shape[1] // SHIFTED_PART
    following, previous, own = clips.split([part, part, maps.shape[1] - 2 * part], 2)
    nothing = torch.zeros_like(following[:, :1])
    following = torch.cat([following[:, 1:], nothing], 1)
    previous = torch.cat([nothing, previous[:, :-1]], 1)
    return torch.cat([following, previous, own], 2).flatten(0, 1)


class ShiftedConv(nn.Conv2d):
    """A convolution that reads its input shifted in time, under the name and with the weights of the plain one."""

    def __init__(self, plain: nn.Conv2d, segments: int) -> None:
        # torch takes two sides here, and types what a convolution has of them as any number.
        sides: Any = {"kernel_size": plain.kernel_size, "stride": plain.stride, "padding": plain.padding}
        super().__init__(plain.in_channels, plain.out_channels, **sides, bias=False)
        self.weight = plain.weight
        self.segments = segments

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(temporal_shift(maps, self.segments))


def shift_clips(backbone: nn.Module, segments: int) -> None:
    """Have the blocks of a ResNet or a MobileNetV2 read clips of `segments` shifted offline, weights as they are."""
    for block in [each for each in backbone.modules() if is_shifted(each)]:
        if isinstance(block, (BasicBlock, Bottleneck)):
            block.conv1 = ShiftedConv(block.conv1, segments)
        elif isinstance(block, LinearBottleneck):
            expansion: Any = block.conv[0]
            expansion[0] = ShiftedConv(expansion[0], segments)


def shifted(layers: nn.Module, maps: Tensor, before: Optional[Before]) -> Tensor:
    """`layers` of `maps` (B, C, h, w), their blocks shifted online; without `before` as they are."""
    if before is None:
        plain: Tensor = layers(maps)
        return plain
    if isinstance(layers, nn.Sequential):
        for layer in layers:
            maps = shifted(layer, maps, before)
        return maps
    if is_shifted(layers):
        part = maps.shape[1] // SHIFTED_PART
        return _block(layers, maps, torch.cat([before(maps[:, :part]), maps[:, part:]], 1))
    return shifted(layers, maps, None)


def within_clips(segments: int) -> Before:
    """For maps (N * T, C / 8, h, w) of clips: the sample before each in its clip, zeros before the first."""

    def before(own: Tensor) -> Tensor:
        clips = own.unflatten(0, (-1, segments))  # (N, T, C / 8, h, w)
        return torch.cat([torch.zeros_like(clips[:, :1]), clips[:, :-1]], 1).flatten(0, 1)

    return before


class Kept:
    """For one picture of each stream: what the blocks kept of the one before, and in `newest` what they keep of it."""

    def __init__(self, pasts: Sequence[Tensor]) -> None:
        self._pasts = pasts
        self.newest: List[Tensor] = []

    def __call__(self, own: Tensor) -> Tensor:
        past = self._pasts[len(self.newest)]
        self.newest.append(own)
        return past


def past_shapes(layers: nn.Module, height: int, width: int) -> List[List[int]]:
    """[C / 8, h, w] of each block that `shifted` shifts, in its order, for maps of this size; sides halve upwards."""
    shapes = []
    for unit in _units(layers):
        if is_shifted(unit):
            channels = next(part.in_channels for part in unit.modules() if isinstance(part, nn.Conv2d))
            shapes.append([channels // SHIFTED_PART, height, width])
        height, width = map_sides(unit, height, width)
    return shapes


def map_sides(layers: nn.Module, height: int, width: int) -> Tuple[int, int]:
    """h and w of the maps that layers make of maps of this size, each halving rounded up."""
    for unit in _units(layers):
        strides = [_stride(part) for part in unit.modules() if isinstance(part, (nn.Conv2d, nn.MaxPool2d))]
        down, across = (max(each) for each in zip((1, 1), *strides))  # a block's shortcut strides as its branch does
        height, width = -(-height // down), -(-width // across)
    return height, width


def past_states(shapes: Sequence[List[int]]) -> Dict[str, List[int]]:
    """The shapes that blocks keep in turn, by the names of a stage's states."""
    return {f"past{place}": shape for place, shape in enumerate(shapes)}


def is_shifted(layer: nn.Module) -> bool:
    """Whether a layer is a block that the shift acts on."""
    if isinstance(layer, LinearBottleneck):
        return layer.identity and layer.expands
    return isinstance(layer, ResidualBlock) or (isinstance(layer, InvertedResidual) and layer.identity)


def _block(layer: nn.Module, maps: Tensor, entering: Tensor) -> Tensor:
    """A block of maps whose branch reads `entering`."""
    if isinstance(layer, ResidualBlock):
        joined: Tensor = layer.relu(layer.branch(entering) + layer.shortcut(maps))
        return joined
    added: Tensor = layer(maps, entering)
    return added


def _units(layers: nn.Module) -> Iterator[nn.Module]:
    """Blocks, and the layers between them."""
    if not isinstance(layers, nn.Sequential):
        yield layers
        return
    for layer in layers:
        yield from _units(layer)


def _stride(layer: Union[nn.Conv2d, nn.MaxPool2d]) -> Tuple[int, int]:
    stride: Any = layer.stride
    return stride if isinstance(stride, tuple) else (stride, stride)
