"""How ATTP's branches become class scores (Huo et al. 2020, table 3): added, or pooled two or three at a time.

What is pooled, and how, is in `pooling.py`; what the paper leaves open of it, in `nets/attp.py`.
"""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor, nn

from edgecvar.nets.modules.pooling import bilinear_pool, signed_root, trilinear_pool, unit_length
from edgecvar.nets.stages import MODALITIES

PAIRS = (("appearance", "motion"), ("appearance", "residual"), ("motion", "residual"))
"""What fusion "bp" pools, two branches at a time."""


class LinearFusion(nn.Module):
    """Class scores of one modality, or the scores of several added (the paper's I+MV+R): (B, c) each."""

    def __init__(self, branches: Sequence[str], channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(channels, classes) for name in branches})

    def forward(self, *means: Tensor) -> Tensor:
        scores = [head(self.dropout(mean)) for head, mean in zip(self.heads.values(), means)]
        return torch.stack(scores).sum(0)


class TrilinearFusion(nn.Module):
    """Projected maps (B, d * D, h', w') of I_t, with eq. 7 also I_t+dt, then MV and R, to class scores."""

    def __init__(self, dim: int, factor: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.factor = factor
        self.scale = dim**0.5
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(dim, classes)

    def forward(self, *maps: Tensor) -> Tensor:
        *images, motion, residual = maps
        image = images[0] if len(images) == 1 else images[0] + images[1]  # f_TP is linear in I
        return self.scores(trilinear_pool(image, motion, residual, self.factor))

    def scores(self, pooled: Tensor) -> Tensor:
        """P^T f of the pooled vectors (B, D)."""
        unit = unit_length(signed_root(pooled))
        scores: Tensor = self.classifier(self.dropout(unit * self.scale))
        return scores


class BilinearFusion(nn.Module):
    """Maps (B, D, h', w') of I, MV and R, projected by fixed signs, to class scores: those of the three pairs added."""

    def __init__(self, dim: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.scale = dim**0.5
        self.dropout = nn.Dropout(dropout)
        self.classifiers = nn.ModuleList(nn.Linear(dim, classes) for _ in PAIRS)

    def forward(self, *maps: Tensor) -> Tensor:
        named = dict(zip(MODALITIES, maps))
        scores = []
        for (one, other), classifier in zip(PAIRS, self.classifiers):
            unit = unit_length(signed_root(bilinear_pool(named[one], named[other])))
            scores.append(classifier(self.dropout(unit * self.scale)))
        return torch.stack(scores).sum(0)
