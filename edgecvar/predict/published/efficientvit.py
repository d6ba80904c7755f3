"""EfficientViT (Cai et al. 2023), the classifiers B1 to B3 as mit-han-lab publishes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

from edgecvar.predict.published.drawing import Drawing, Learnt

EPSILON_ROW = 1
"""Rows that the values get beside their own: the sum of the keys, by which linear attention divides."""


@dataclass(frozen=True)
class Sizes:
    """Channels and blocks of each stage, those of an attention head, and the two widths of the head."""

    widths: Tuple[int, ...]
    depths: Tuple[int, ...]
    dimension: int
    head: Tuple[int, int]


EFFICIENTVITS: Dict[str, Sizes] = {
    "efficientvit_b1": Sizes((16, 32, 64, 128, 256), (1, 2, 3, 3, 4), 16, (1536, 1600)),
    "efficientvit_b2": Sizes((24, 48, 96, 192, 384), (1, 3, 4, 4, 6), 32, (2304, 2560)),
    "efficientvit_b3": Sizes((32, 64, 128, 256, 512), (1, 4, 6, 6, 9), 32, (2304, 2560)),
}
EXPAND = 4
SCALE = 5
"""Side of the convolution that gathers the second scale of the attention's tokens."""


def draw_efficientvit(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores."""
    sizes = EFFICIENTVITS[name]
    drawing.conv(sizes.widths[0], 3, 2, act="hardswish")
    for _ in range(sizes.depths[0]):
        drawing.depthwise(3, act="hardswish")
        drawing.conv(sizes.widths[0], 1, act="")
        drawing.add()
    for width, depth in zip(sizes.widths[1:3], sizes.depths[1:3]):
        for place in range(depth):
            _mbconv(drawing, width, 2 if place == 0 else 1, norms=True)
    for width, depth in zip(sizes.widths[3:], sizes.depths[3:]):
        _mbconv(drawing, width, 2, norms=False)
        for _ in range(depth):
            _attention(drawing, sizes.dimension)
            _mbconv(drawing, width, 1, norms=False)
    drawing.conv(sizes.head[0], 1, act="hardswish")
    drawing.mean()
    drawing.linear(sizes.head[1], bias=False)
    drawing.elementwise("LayerNormalization", "HardSwish", parameters=2 * sizes.head[1])
    drawing.linear(1000)


def _mbconv(drawing: Drawing, outputs: int, stride: int, norms: bool) -> None:
    """`norms`: a batch norm on every convolution; without, biases on the first two."""
    inputs = drawing.channels
    learnt: Learnt = "norm" if norms else "bias"
    drawing.conv(inputs * EXPAND, 1, act="hardswish", learnt=learnt)
    drawing.depthwise(3, stride, act="hardswish", learnt=learnt)
    drawing.conv(outputs, 1, act="")
    if stride == 1 and inputs == outputs:
        drawing.add()


def _attention(drawing: Drawing, dimension: int) -> None:
    """Linear attention with ReLU on tokens of two scales, and its projection."""
    maps = drawing.shape
    channels, height, width = maps
    tokens = height * width
    heads = channels // dimension
    drawing.conv(3 * channels, 1, act="", learnt="")
    drawing.depthwise(SCALE, act="", learnt="")
    drawing.conv(3 * channels, 1, groups=3 * heads, act="", learnt="")
    drawing.movement("Slice", (2 * 2 * channels, height, width))
    drawing.elementwise("Relu")
    drawing.movement("Pad", (2 * heads * (dimension + EPSILON_ROW), height, width))
    if tokens > dimension:
        drawing.matmul(2 * heads, dimension + EPSILON_ROW, tokens, dimension)
        drawing.matmul(2 * heads, dimension + EPSILON_ROW, dimension, tokens)
    else:
        drawing.matmul(2 * heads, tokens, dimension, tokens)
        drawing.elementwise("ReduceSum", "Div")
        drawing.matmul(2 * heads, dimension, tokens, tokens)
    drawing.shape = (2 * channels, height, width)
    drawing.elementwise("Div", beside=2 * heads * tokens)
    drawing.conv(channels, 1, act="")
    drawing.add()
