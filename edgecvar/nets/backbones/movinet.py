"""MoViNet-A0 (Kondratyuk et al. 2021, table 7), as a stream or as a network of single pictures.

The authors' released code decides what their paper leaves open, in the form that its streams have: a convolution over
space and time is one over space and then one over time, each with batch norm and hard-swish ("(2+1)D"); a gate of
squeeze and excitation sees the cumulative average beside the picture's own means; gates are hard sigmoids; A0 has no
positional encoding. Padding is as in TensorFlow: where a side is even, a stride of 2 pads behind alone. Hard-swish is
written x * HardSigmoid(x), as operator set 13 has no other (TensorRT 8.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Dict, Iterator, List, Tuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from edgecvar.nets.backbones.efficientnet import scaled_channels
from edgecvar.nets.modules.stream_buffer import Buffers, buffer_shape, mean_shape

Size = Tuple[int, int]


@dataclass(frozen=True)
class Row:
    """One block of the table: `channels`, and of each layer its expanded width and its kernel (time, side).

    The first layer has `stride`.
    """

    channels: int
    expanded: Tuple[int, ...]
    kernels: Tuple[Tuple[int, int], ...]
    stride: int


STEM_CHANNELS = 8
A0_ROWS = (
    Row(8, (24,), ((1, 5),), 2),
    Row(32, (80, 80, 80), ((3, 3), (3, 3), (3, 3)), 2),
    Row(56, (184, 112, 184), ((5, 3), (3, 3), (3, 3)), 2),
    Row(56, (184, 184, 184, 184), ((5, 3), (3, 3), (3, 3), (3, 3)), 1),
    Row(104, (384, 280, 280, 344), ((5, 3), (1, 5), (1, 5), (1, 5)), 2),
)
LAST_CHANNELS = 480
SQUEEZED_PART = 4
"""A gate squeezes to a quarter of the channels that it sees."""
EPSILON = 1e-3
"""Of the batch norms."""


class MovinetOptions(BaseModel):
    """Multipliers of A0's `width` and `depth`, and how often a layer is left out in training, the last most often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: float = Field(default=1.0, gt=0, le=4)
    depth: float = Field(default=1.0, gt=0, le=1)
    stochastic_depth: float = Field(default=0.2, ge=0, lt=1)

    def scaled(self, channels: int) -> int:
        """So many channels of A0, times the width."""
        return scaled_channels(channels, self.width)


def hard_swish(x: Tensor) -> Tensor:
    """x * min(max(x + 3, 0), 6) / 6."""
    return x * functional.hardsigmoid(x)


def halved(size: Size, stride: int) -> Size:
    """The sides of maps behind a layer with this stride."""
    return -(-size[0] // stride), -(-size[1] // stride)


def same_padding(size: Size, kernel: int, stride: int) -> List[int]:
    """What is added left, right, above and below, so that sides become ceil(side / stride), the odd one behind."""
    added = [max((ceil(side / stride) - 1) * stride + kernel - side, 0) for side in reversed(size)]
    return [part for each in added for part in (each // 2, each - each // 2)]


class ConvNorm(nn.Module):
    """A convolution over space, batch norm and, where `act`, hard-swish, for maps of `size`."""

    def __init__(
        self, inputs: int, outputs: int, size: Size, kernel: int = 1, *, act: bool = True, **sides: Any
    ) -> None:
        super().__init__()
        self.padding, self.act = same_padding(size, kernel, sides.get("stride", 1)), act
        self.conv = nn.Conv2d(inputs, outputs, kernel, bias=False, **sides)
        self.norm = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, maps: Tensor) -> Tensor:
        padded = functional.pad(maps, self.padding) if any(self.padding) else maps
        out: Tensor = self.norm(self.conv(padded))
        return hard_swish(out) if self.act else out


class CausalConv(nn.Module):
    """A convolution over `kernel` pictures, each channel by itself, of maps of `size`, batch norm and hard-swish."""

    def __init__(self, channels: int, kernel: int, size: Size) -> None:
        super().__init__()
        self.kernel, self.size = kernel, size
        self.conv = nn.Conv2d(channels, channels, (kernel, 1), groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels, eps=EPSILON)
        self.state_shape = buffer_shape(channels, kernel, size)

    def forward(self, maps: Tensor, buffers: Buffers) -> Tensor:
        rows = self.norm(self.conv(buffers.buffered(maps, self.kernel - 1)))
        return hard_swish(buffers.pictured(rows, self.size))


class Gate(nn.Module):
    """Squeeze and excitation by the picture's means and, in a `stream`, by their cumulative average before them."""

    def __init__(self, channels: int, stream: bool) -> None:
        super().__init__()
        seen = 2 * channels if stream else channels
        squeezed = scaled_channels(seen // SQUEEZED_PART, 1.0)
        self.stream = stream
        self.fc1 = nn.Conv2d(seen, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, maps: Tensor, buffers: Buffers) -> Tensor:
        means = maps.mean((2, 3), keepdim=True)
        if self.stream:
            means = torch.cat([buffers.averaged(means), means], 1)
        return maps * functional.hardsigmoid(self.fc2(hard_swish(self.fc1(means))))


class Shortcut(nn.Module):
    """The input of a layer as its output's shape wants it: 3 x 3 means where it has a stride, then a projection."""

    def __init__(self, inputs: int, outputs: int, size: Size, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.project = ConvNorm(inputs, outputs, halved(size, stride), act=False)
        if stride > 1:
            self.padding = same_padding(size, 3, stride)
            covered = functional.avg_pool2d(functional.pad(torch.ones(1, 1, *size), self.padding), 3, stride)
            self.register_buffer("share", 1 / covered, persistent=False)  # means are over what is there

    def forward(self, maps: Tensor) -> Tensor:
        if self.stride > 1:
            share: Any = self.share
            maps = functional.avg_pool2d(functional.pad(maps, self.padding), 3, self.stride) * share
        out: Tensor = self.project(maps)
        return out


@dataclass(frozen=True)
class LayerShape:
    """Of one layer: channels in, expanded and out, its kernel (time, side), its stride, and the sides that come in."""

    inputs: int
    expanded: int
    outputs: int
    kernel: Tuple[int, int]
    stride: int
    size: Size


class Bottleneck(nn.Module):
    """Expand, convolve over space and then time, gate, project, times a learnt number that begins at 0 (ReZero)."""

    def __init__(self, shape: LayerShape, stream: bool, drop: float) -> None:
        super().__init__()
        self.stream, self.drop = stream, drop
        time, side = shape.kernel
        inner, size = shape.expanded, halved(shape.size, shape.stride)
        self.expand = ConvNorm(shape.inputs, inner, shape.size)
        self.space = ConvNorm(inner, inner, shape.size, side, stride=shape.stride, groups=inner)
        self.time = CausalConv(inner, time, size) if stream and time > 1 else None
        self.gate = Gate(inner, stream)
        self.project = ConvNorm(inner, shape.outputs, size, act=False)
        same = shape.stride == 1 and shape.inputs == shape.outputs
        self.shortcut = None if same else Shortcut(shape.inputs, shape.outputs, shape.size, shape.stride)
        self.scale = nn.Parameter(torch.zeros(()))

    def states(self) -> Dict[str, List[int]]:
        """Shapes of what it keeps, in the order in which it asks for it."""
        past = {} if self.time is None else {"past": self.time.state_shape}
        return {**past, "average": mean_shape(self.gate.fc2.out_channels)} if self.stream else {}

    def forward(self, maps: Tensor, buffers: Buffers) -> Tensor:
        inner = self.space(self.expand(maps))
        if self.time is not None:
            inner = self.time(inner, buffers)
        out: Tensor = self.scale * self.project(self.gate(inner, buffers))
        if self.training and self.drop > 0:  # a clip's pictures together
            kept = torch.empty(len(out) // buffers.pictures, 1, 1, 1, dtype=out.dtype, device=out.device)
            kept = kept.bernoulli_(1 - self.drop).div_(1 - self.drop)
            out = out * kept.repeat_interleave(buffers.pictures, 0)
        return out + (maps if self.shortcut is None else self.shortcut(maps))


class MovinetBackbone(nn.Module):
    """Pictures (B, in_channels, *size) to the means over space of their last maps (B, channels, 1, 1).

    A `stream` sees the pictures before each, as `buffers` has them; without that, each picture is seen by itself, by
    the same layers without those over time.
    """

    def __init__(self, options: MovinetOptions, in_channels: int, size: Size, stream: bool) -> None:
        super().__init__()
        channels = options.scaled(STEM_CHANNELS)
        self.stem = ConvNorm(in_channels, channels, size, 3, stride=2)
        shapes = list(_layers(options, channels, halved(size, 2)))
        self.blocks = nn.ModuleDict()
        for place, (name, shape) in enumerate(shapes):
            drop = options.stochastic_depth * (place + 1) / len(shapes)
            self.blocks[name] = Bottleneck(shape, stream, drop)
        last = shapes[-1][1]
        self.channels = options.scaled(LAST_CHANNELS)
        self.last = ConvNorm(last.outputs, self.channels, halved(last.size, last.stride))
        self.apply(_initialise)

    def states(self) -> Dict[str, List[int]]:
        """Shapes of what its layers keep, by name, in the order in which they ask for it."""
        blocks = ((name, block) for name, block in self.blocks.items() if isinstance(block, Bottleneck))
        return {f"{name}_{kind}": shape for name, block in blocks for kind, shape in block.states().items()}

    def forward(self, pictures: Tensor, buffers: Buffers) -> Tensor:
        maps = self.stem(pictures)
        for block in self.blocks.values():
            maps = block(maps, buffers)
        last: Tensor = self.last(maps)
        return last.mean((2, 3), keepdim=True)


def _layers(options: MovinetOptions, channels: int, size: Size) -> Iterator[Tuple[str, LayerShape]]:
    for number, row in enumerate(A0_ROWS):
        outputs = options.scaled(row.channels)
        for place in range(ceil(options.depth * len(row.expanded))):
            stride = row.stride if place == 0 else 1
            expanded = options.scaled(row.expanded[place])
            yield f"b{number}_l{place}", LayerShape(channels, expanded, outputs, row.kernels[place], stride, size)
            channels, size = outputs, halved(size, stride)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out" if module.groups == 1 else "fan_in")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
