"""Trilinear pooling of three projected feature maps (Huo et al. 2020, eq. 4 to 6)."""

from __future__ import annotations

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
    return product.sum((2, 3)).unflatten(1, (-1, factor)).sum(2)  # (B, D)


def signed_root(pooled: Tensor) -> Tensor:
    """sign(f) sqrt(|f|), written f / sqrt(|f|): the same value with a finite slope at 0."""
    return pooled * pooled.abs().clamp_min(ROOT_FLOOR).rsqrt()


def unit_length(rooted: Tensor) -> Tensor:
    """f / ||f||, row by row of (B, D)."""
    return rooted / rooted.norm(dim=1, keepdim=True).clamp_min(NORM_FLOOR)
