"""Channels of a clip's feature maps gated by what moves: CME, and the two modules that Wu et al. 2021 hold it against.

All gate the maps x_t (C, h, w) of T samples by their means x_t over positions, z_t = W_1 x_t with C / r channels, and
stand where a block's branch begins (table 6 has them in one place):

    CME (Wu et al. 2021, eq. 1 to 6)    a_t = sigmoid(W_3 (z_t + sum_j d'_tj z_j)), k_t = W_2 x_t,
                                        d'_t = softmax_j(-k_t k_j^T)
    MEM (Liu et al. 2020, TEINet)       a_t = sigmoid(W_3 (z_t - W_2 x_t+1)), a_T = 1
    PEM (Weng et al. 2020, TDRL)        a_t = sigmoid(W_3 m_t), m_t = m_t-1 + s_t (z_t - m_t-1),
                                        s_t = sigmoid(W_2 (z_t - m_t-1)), m_1 = z_1

MEM sees the next sample, CME all of the clip, PEM what has come so far, step by step. What is open, and what is chosen:

- None has biases: CME's equations name weights alone, and the rows of a table should differ in the module alone. For
  the same reason r_1 is the reduction of all three; 8, CMR's choice, is also MEM's.
- MEM leaves the last sample as it is: it has no next.
- PEM is after what its abstract and Wu et al. 2021 say of it, and not its paper's formula to the letter: channels are
  excited sample by sample, each by the state after the one before, so that what was used is not taken again. Here the
  state is one vector of the samples so far, moved towards z_t by a share s_t, one number, that their difference
  decides.
"""

from __future__ import annotations

from typing import Callable, Dict, List

import torch
from torch import Tensor, nn


class ChannelMotion(nn.Module):
    """CME (eq. 1 to 6): maps (B * T, C, h, w) with each sample's channels gated by what all of the clip shows.

    `w1`, `w2`, `w3`: the 1 x 1 convolutions W_1 to W_3, on means of one position.
    """

    def __init__(self, channels: int, segments: int, r1: int, r2: int) -> None:
        super().__init__()
        self.segments = segments
        self.w1 = nn.Linear(channels, max(1, channels // r1), bias=False)
        self.w2 = nn.Linear(channels, max(1, channels // r2), bias=False)
        self.w3 = nn.Linear(max(1, channels // r1), channels, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        means = means_of(maps, self.segments)  # (B, T, C)
        z, k = self.w1(means), self.w2(means)  # (B, T, C / r1), (B, T, C / r2)
        weights = torch.softmax(-(k @ k.transpose(1, 2)), -1)  # (B, T, T), eq. 4
        gates = torch.sigmoid(self.w3(z + weights @ z))  # (B, T, C), eq. 5, 6
        return gated(maps, gates)

    def activation_products(self, maps: Tensor) -> int:
        """Of k k^T and of its product with z."""
        return len(maps) * self.segments * (self.w1.out_features + self.w2.out_features)


class MotionEnhanced(nn.Module):
    """MEM: maps (B * T, C, h, w) with channels gated by how a sample differs from the next; the last stays."""

    def __init__(self, channels: int, segments: int, r1: int) -> None:
        super().__init__()
        self.segments = segments
        self.w1 = nn.Linear(channels, max(1, channels // r1), bias=False)
        self.w2 = nn.Linear(channels, max(1, channels // r1), bias=False)
        self.w3 = nn.Linear(max(1, channels // r1), channels, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        means = means_of(maps, self.segments)  # (B, T, C)
        gates = torch.sigmoid(self.w3(self.w1(means[:, :-1]) - self.w2(means[:, 1:])))  # (B, T - 1, C)
        return gated(maps, torch.cat([gates, torch.ones_like(means[:, :1])], 1))


class ProgressiveEnhancement(nn.Module):
    """PEM: maps (B * T, C, h, w) with channels gated by a memory of the samples so far, each in its turn."""

    def __init__(self, channels: int, segments: int, r1: int) -> None:
        super().__init__()
        self.segments = segments
        self.w1 = nn.Linear(channels, max(1, channels // r1), bias=False)
        self.w2 = nn.Linear(max(1, channels // r1), 1, bias=False)
        self.w3 = nn.Linear(max(1, channels // r1), channels, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        z = self.w1(means_of(maps, self.segments))  # (B, T, C / r1)
        memory = z[:, 0]
        memories: List[Tensor] = [memory]
        for t in range(1, self.segments):
            new = z[:, t] - memory
            memory = memory + torch.sigmoid(self.w2(new)) * new
            memories.append(memory)
        return gated(maps, torch.sigmoid(self.w3(torch.stack(memories, 1))))


def means_of(maps: Tensor, segments: int) -> Tensor:
    """Means over positions (B, T, C) of maps (B * T, C, h, w)."""
    means: Tensor = maps.mean((2, 3)).unflatten(0, (-1, segments))
    return means


def gated(maps: Tensor, gates: Tensor) -> Tensor:
    """Maps (B * T, C, h, w) times gates (B, T, C), eq. 1."""
    return maps * gates.flatten(0, 1)[:, :, None, None]


CHANNEL_MODULES: Dict[str, Callable[[int, int, int, int], nn.Module]] = {
    "cme": ChannelMotion,
    "mem": lambda channels, segments, r1, _: MotionEnhanced(channels, segments, r1),
    "pem": lambda channels, segments, r1, _: ProgressiveEnhancement(channels, segments, r1),
    "none": lambda *_: nn.Identity(),
}
"""What table 6 has in that place, of C, T, r_1 and r_2."""
