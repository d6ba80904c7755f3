"""Parts that look back in time alone: each takes what it kept of the past and gives what it keeps for the next call.

Sequences are (B, C, T, 1), so that a convolution over time is one over rows, which TensorRT 8.2 takes. What is kept is
zero at the start of a stream and has the same size however long that is. T pictures in one call give what they give
one by one.
"""

from __future__ import annotations

from typing import List, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

LIFT = 4.0
"""Of the fading mean, which is otherwise much smaller than the peak beside it."""


class CausalConv(nn.Module):
    """A dilated convolution over this picture and those before it, added to its input: x + relu(norm(conv(x)))."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (kernel, 1), dilation=(dilation, 1), bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.state_shape: List[int] = [channels, (kernel - 1) * dilation, 1]

    def forward(self, x: Tensor, past: Tensor) -> Tuple[Tensor, Tensor]:
        """x (B, C, T, 1) and the inputs before it (B, *state_shape), to as many outputs and the newest inputs."""
        seen = torch.cat([past, x], 2)  # (B, C, (kernel - 1) * dilation + T, 1)
        return x + torch.relu(self.norm(self.conv(seen))), seen[:, :, x.shape[2] :]


class FadingPool(nn.Module):
    """The mean and the peak of all that came so far, older pictures weighing less.

    mean_t = a mean_t-1 + LIFT (1 - a) x_t and peak_t = max(a peak_t-1, x_t), a the decay, of values that are not
    negative.
    """

    def __init__(self, channels: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.state_shape: List[int] = [channels, 1, 1]

    def forward(self, x: Tensor, mean: Tensor, peak: Tensor) -> Tuple[Tensor, Tensor]:
        """x (B, C, T, 1) and the newest mean and peak before it (B, *state_shape), to those at each picture."""
        means = torch.cat([mean, x * (LIFT * (1 - self.decay))], 2)
        peaks = torch.cat([peak, x], 2)
        reach, fade = 1, self.decay
        while reach < means.shape[2]:  # each round doubles how far back a picture sees
            means = means + _later(means, reach) * fade
            peaks = torch.maximum(peaks, _later(peaks, reach) * fade)
            reach, fade = 2 * reach, fade * fade
        return means[:, :, 1:], peaks[:, :, 1:]


def _later(x: Tensor, pictures: int) -> Tensor:
    """x (B, C, T, 1) moved later, zeros coming in."""
    return functional.pad(x[:, :, :-pictures], (0, 0, pictures, 0))
