"""What a causal layer sees of the pictures before: a clip from the start of a stream, or the state of one that goes on.

A layer asks for it in the same words either way, so that a clip in one call gives what its pictures give one by one
(Kondratyuk et al. 2021, section 3.2: stream buffers, causal convolutions, cumulative global average pooling). Maps are
(B, C, h, w) with B = N * pictures, the pictures of a clip in a row. Over time they are (N, C, pictures, h * w), so that
a convolution over time is one over rows, which TensorRT 8.2 takes.

The cumulative average of the paper divides a sum by a count, and both grow as long as a stream goes on. Here it is

    m_t = m_t-1 + (x_t - m_t-1) / n_t,  n_t = min(t, memory)

which is the paper's while t <= memory, and from then on a mean that fades: nothing grows, and what was an hour ago is
forgotten.
"""

from __future__ import annotations

from typing import List, Protocol, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional


class Buffers(Protocol):
    """What came before the pictures that are looked at; `pictures` of each clip."""

    pictures: int

    def buffered(self, maps: Tensor, length: int) -> Tensor:
        """Maps (N * T, C, h, w) over time, behind the `length` pictures before them: (N, C, length + T, h * w)."""
        ...

    def pictured(self, rows: Tensor, size: Tuple[int, int]) -> Tensor:
        """Maps over time (N, C, T, h * w) as those of single pictures (N * T, C, *size)."""
        ...

    def averaged(self, means: Tensor) -> Tensor:
        """Means (N * T, C, 1, 1) of pictures to those of each and all before it."""
        ...


class Clip:
    """Clips of `pictures` from the start of a stream: zeros come before them."""

    def __init__(self, pictures: int, memory: int) -> None:
        self.pictures = pictures
        self._shares = _shares(pictures, memory)

    def buffered(self, maps: Tensor, length: int) -> Tensor:
        rows = maps.unflatten(0, (-1, self.pictures)).flatten(3).transpose(1, 2)
        return functional.pad(rows, (0, 0, length, 0))  # (N, C, length + T, h * w)

    def pictured(self, rows: Tensor, size: Tuple[int, int]) -> Tensor:
        maps: Tensor = rows.transpose(1, 2).flatten(0, 1).unflatten(2, size)
        return maps

    def averaged(self, means: Tensor) -> Tensor:
        clips = means.flatten(1).unflatten(0, (-1, self.pictures))  # (N, T, C)
        shares = self._shares.to(device=means.device, dtype=means.dtype)
        return torch.einsum("ts,nsc->ntc", shares, clips).flatten(0, 1)[:, :, None, None]


class Kept:
    """One picture of each stream, and what was kept of those before: the count, then states in the order of layers.

    `newest`: what is kept of this one, in the same order, once all layers have asked.
    """

    pictures = 1

    def __init__(self, states: Sequence[Tensor], memory: int) -> None:
        count = torch.clamp(states[0] + 1, max=float(memory))  # (B, 1, 1, 1)
        self._share = 1 / count
        self._states = states
        self.newest: List[Tensor] = [count]

    def buffered(self, maps: Tensor, length: int) -> Tensor:
        rows = torch.cat([self._past(), maps.flatten(2).unsqueeze(2)], 2)
        self.newest.append(rows[:, :, 1:])
        return rows

    def pictured(self, rows: Tensor, size: Tuple[int, int]) -> Tensor:
        maps: Tensor = rows.squeeze(2).unflatten(2, size)
        return maps

    def averaged(self, means: Tensor) -> Tensor:
        past = self._past()
        mean = past + (means - past) * self._share
        self.newest.append(mean)
        return mean

    def _past(self) -> Tensor:
        return self._states[len(self.newest)]


COUNT_SHAPE = [1, 1, 1]
"""Of the state that every stage with a cumulative average begins with."""


def buffer_shape(channels: int, kernel: int, size: Tuple[int, int]) -> List[int]:
    """Of what a convolution over `kernel` pictures keeps of maps of this size."""
    return [channels, kernel - 1, size[0] * size[1]]


def mean_shape(channels: int) -> List[int]:
    """Of what a cumulative average keeps."""
    return [channels, 1, 1]


def _shares(pictures: int, memory: int) -> Tensor:
    """(T, T): how much of picture s is in the average at picture t, from the start of a stream."""
    shares = torch.zeros(pictures, pictures, dtype=torch.float64)
    for t in range(pictures):
        count = min(t + 1, memory)
        shares[t] = shares[t - 1] * (1 - 1 / count)
        shares[t, t] = 1 / count
    return shares
