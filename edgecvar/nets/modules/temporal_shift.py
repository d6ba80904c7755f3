"""Temporal shift: the residual branch of a block reads some channels of the samples beside its own (Lin et al. 2019).

Offline, an eighth of the channels C comes from the next sample of a clip and an eighth from the previous one. Online
("Online Models with Uni-directional TSM"), an eighth comes from the previous sampled picture and nothing from the next:
a block with a shortcut, x_t + F(x_t), becomes

    y_t = x_t + F([x_t-1[: C / 8], x_t[C / 8 :]]),  x_-1 = 0

A clip is shifted as a whole (`within_clips`). A stream goes picture by picture and keeps x_t[: C / 8] of each block for
the next one (`Kept`). The blocks stay as they are, under the names and with the weights that are published: who runs
them shifts (`shifted`).
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

import torch
from torch import Tensor, nn

from edgecvar.nets.backbones.efficientnet import InvertedResidual

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


def shifted(layers: nn.Module, maps: Tensor, before: Optional[Before]) -> Tensor:
    """`layers` of `maps` (B, C, h, w), their blocks with a shortcut shifted online; without `before` as they are."""
    if before is None:
        plain: Tensor = layers(maps)
        return plain
    if isinstance(layers, nn.Sequential):
        for layer in layers:
            maps = shifted(layer, maps, before)
        return maps
    if _is_shifted(layers):
        part = maps.shape[1] // SHIFTED_PART
        block: Tensor = layers(maps, torch.cat([before(maps[:, :part]), maps[:, part:]], 1))
        return block
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
    for layer in layers.modules():
        if _is_shifted(layer):
            channels = next(part.in_channels for part in layer.modules() if isinstance(part, nn.Conv2d))
            shapes.append([channels // SHIFTED_PART, height, width])
        elif isinstance(layer, nn.Conv2d):
            height, width = -(-height // layer.stride[0]), -(-width // layer.stride[1])
    return shapes


def past_states(shapes: Sequence[List[int]]) -> Dict[str, List[int]]:
    """The shapes that blocks keep in turn, by the names of a stage's states."""
    return {f"past{place}": shape for place, shape in enumerate(shapes)}


def _is_shifted(layer: nn.Module) -> bool:
    return isinstance(layer, InvertedResidual) and layer.identity
