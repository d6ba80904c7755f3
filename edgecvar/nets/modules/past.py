"""What pictures in a row come to, in their order: convolutions over time, then a fading mean and a fading peak.

The convolutions are causal and dilated (Bai et al. 2018, section 3). The past is state of bounded size, zero at the
start of a stream: nothing looks ahead, and nothing depends on how long a clip is.
"""

from __future__ import annotations

from typing import Dict, List, Tuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from edgecvar.nets.modules.causal import CausalConv, FadingPool


class PastOptions(BaseModel):
    """`width`: features a picture has over time. `dropout`: before the classifier.

    `kernel`, `dilations`: of the convolutions over time, which together look back (kernel - 1) * sum(dilations)
    pictures. `decay`: of the fading mean and peak, from one sampled picture to the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=64, ge=1, le=1024)
    kernel: int = Field(default=3, ge=2, le=9)
    dilations: Tuple[int, ...] = Field(default=(1, 2, 4, 8), min_length=1, max_length=8)
    decay: float = Field(default=0.98, ge=0, lt=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)


class Past(nn.Module):
    """Features (B, width, T, 1) of pictures in a row, and states, to scores (B, T, classes) and the states after."""

    def __init__(self, options: PastOptions, classes: int) -> None:
        super().__init__()
        convs = [CausalConv(options.width, options.kernel, each) for each in options.dilations]
        self.convs = nn.ModuleList(convs)
        self.pool = FadingPool(options.width, options.decay)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(2 * options.width, classes)
        pasts = {f"past{place}": conv.state_shape for place, conv in enumerate(convs)}
        self.state_shapes: Dict[str, List[int]] = {
            **pasts,
            "recent_mean": self.pool.state_shape,
            "recent_peak": self.pool.state_shape,
        }
        """Of each state by name, without the batch, in the order that `forward` takes and gives them."""

    def forward(self, features: Tensor, *states: Tensor) -> Tuple[Tensor, ...]:
        *pasts, mean, peak = states
        kept = []
        for conv, past in zip(self.convs, pasts):
            features, newest = conv(features, past)
            kept.append(newest)
        means, peaks = self.pool(torch.relu(features), mean, peak)
        pooled = torch.cat([means, peaks], 1).flatten(2).transpose(1, 2)  # (B, T, 2 * width)
        return (self.classifier(self.dropout(pooled)), *kept, means[:, :, -1:], peaks[:, :, -1:])
