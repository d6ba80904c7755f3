"""Trilinear pooling of three projected feature maps (Huo et al. 2020, eq. 4 to 6)."""

from __future__ import annotations

from torch import Tensor, nn

ROOT_FLOOR = 1e-6
"""Below this magnitude the signed square root is a straight line, so that its slope stays finite at 0; held by fp16."""

NORM_FLOOR = 1e-3
"""Vectors shorter than this are not stretched to length 1: a clip without any response has no direction."""


class Projection(nn.Conv2d):
    """U, V or W of eq. 4 at every position: (B, c, h, w) to (B, d * D, h, w), without bias; channel i * d + j.

    The start is random about a common mean. A feature of EfficientNet is a SiLU of a normalised value: its mean is
    0.2066 and its mean square 0.3558. The weights' mean is set so that every projected map starts with mean
    `level`, and their spread so that it varies by about `spread` around that.
    """

    def __init__(self, channels: int, outputs: int, level: float, spread: float) -> None:
        super().__init__(channels, outputs, 1, bias=False)
        nn.init.normal_(self.weight, level / (0.2066 * channels), spread / (0.3558 * channels) ** 0.5)


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
