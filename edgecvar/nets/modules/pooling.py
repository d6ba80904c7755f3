"""Pooling of projected feature maps: trilinear (Huo et al. 2020, eq. 4 to 6) and compact bilinear (Gao et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ROOT_FLOOR = 1e-6
"""Below this magnitude the signed square root is a straight line, so that its slope stays finite at 0; held by fp16."""

NORM_FLOOR = 1e-3
"""Vectors shorter than this are not stretched to length 1: a clip without any response has no direction."""


LEVEL, SPREAD = 1.0, 0.5
"""Mean and standard deviation of every projected map at the start.

Maps with mean 0 multiply to noise: the product's sign is that of the two maps that have learnt nothing yet, and the
signed square root is steepest there. Around 1 the product (1 + a)(1 + b)(1 + c) holds a, b and c themselves beside
their products, so each modality is heard from the first step, as in late fusion, and what they say together is
learnt on top.
"""

FEATURE_MEAN, FEATURE_SQUARE = 0.2066, 0.3558
"""Mean and mean square of a backbone's feature, the SiLU of a normalised value."""


class Projection(nn.Conv2d):
    """U, V or W of eq. 4 at every position: (B, c, h, w) to (B, d * D, h, w), without bias; channel j * d + k.

    The start is random, about a common mean that brings the maps to LEVEL and SPREAD.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__(channels, outputs, 1, bias=False)
        mean, deviation = LEVEL / (FEATURE_MEAN * channels), SPREAD / (FEATURE_SQUARE * channels) ** 0.5
        nn.init.normal_(self.weight, mean, deviation)


def trilinear_pool(image: Tensor, motion: Tensor, residual: Tensor, factor: int) -> Tensor:
    """f_TP (B, D) of three projected maps (B, d * D, h, w): Hadamard product, summed over d and all positions."""
    product = image * motion * residual  # (B, d * D, h, w)
    pooled: Tensor = product.sum((2, 3)).unflatten(1, (-1, factor)).sum(2)  # (B, D)
    return pooled


class RandomSigns(nn.Conv2d):
    """W of Random Maclaurin at every position: (B, c, h, w) to (B, D, h, w), elements +-1 times D^(-1/4).

    Drawn from torch's generator, so by the recipe's seed, and never learnt: a buffer of the state dict. D^(-1/4) in
    either factor of a product is the method's 1 / sqrt(D); the maps then stay small enough for fp16.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__(channels, outputs, 1, bias=False)
        shape = self.weight.shape
        del self.weight  # a parameter, whose place the buffer takes
        self.register_buffer("weight", (2.0 * torch.randint(0, 2, shape) - 1.0) * outputs**-0.25)


def bilinear_pool(one: Tensor, other: Tensor) -> Tensor:
    """(B, D) of two maps (B, D, h, w) that RandomSigns projected: their product, summed over all positions.

    Inner products of such vectors are in expectation the sum of <x_i, x'_j> <y_i, y'_j> over positions i and j, as
    those of bilinear pooling, sum_i x_i y_i^T with its c^2 elements, are.
    """
    return (one * other).sum((2, 3))


def signed_root(pooled: Tensor) -> Tensor:
    """sign(f) sqrt(|f|), written f / sqrt(|f|): the same value with a finite slope at 0."""
    return pooled * pooled.abs().clamp_min(ROOT_FLOOR).rsqrt()


def unit_length(rooted: Tensor) -> Tensor:
    """f / ||f||, row by row of (B, D)."""
    unit: Tensor = rooted / rooted.norm(dim=1, keepdim=True).clamp_min(NORM_FLOOR)
    return unit
