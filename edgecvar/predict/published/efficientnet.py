"""EfficientNet B0, B1 (Tan & Le 2019), Lite0, and the three B1 of ATTP (Huo et al. 2020)."""

from __future__ import annotations

import math
from typing import Dict, Optional, Tuple

from edgecvar.predict.published.drawing import Drawing, Shape

EFFICIENTNETS: Dict[str, Tuple[float, bool]] = {
    "efficientnet_b0": (1.0, False),
    "efficientnet_b1": (1.1, False),
    "efficientnet_lite0": (1.0, True),
}
"""Depth multiplier, and whether it is Lite: ReLU6 and no squeeze and excitation."""

ROWS = (
    (3, 1, 16, 1, 1), (3, 6, 24, 2, 2), (5, 6, 40, 2, 2), (3, 6, 80, 3, 2), (5, 6, 112, 3, 1), (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)  # fmt: skip
"""Kernel, expansion, channels, repeats and first stride of B0's table 1."""

ATTP_BRANCHES = (("image", 3), ("motion", 2), ("residual", 3))
"""Inputs and their channels."""

ATTP_DIMENSION, ATTP_CLASSES = 1000, 51


def draw_efficientnet(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores."""
    _features(drawing, *EFFICIENTNETS[name])
    drawing.mean()
    drawing.linear(1000)


def draw_attp(drawing: Drawing, name: str) -> None:
    """Three B1 without their heads, the projections, temporal trilinear pooling and the classifier.

    The current shape is the image's; the motion field has two channels of the same size, the residual three. What the
    paper measured is one such pass a picture; the projected maps of the adjacent I-picture are kept from before.
    """
    image = drawing.shape
    maps: Optional[Shape] = None
    for _, channels in ATTP_BRANCHES:
        drawing.shape = (channels, *image[1:])
        _features(drawing, 1.1, lite=False)
        drawing.conv(ATTP_DIMENSION, 1, act="", learnt="")
        maps = drawing.shape
    assert maps is not None
    drawing.elementwise("Add", "Mul", "Mul", beside=3 * drawing.elements)
    drawing.mean("ReduceSum")
    drawing.elementwise("Abs", "Clip", "Sqrt", "Div", "Mul")
    drawing.mean("ReduceL2")
    drawing.shape = (ATTP_DIMENSION, 1, 1)
    drawing.elementwise("Div", beside=1)
    drawing.linear(ATTP_CLASSES)


def _features(drawing: Drawing, depth: float, lite: bool) -> None:
    act = "clip" if lite else "swish"
    drawing.conv(32, 3, 2, act=act)
    for row, (kernel, expand, channels, repeats, first) in enumerate(ROWS):
        scaled = repeats if lite and row in (0, len(ROWS) - 1) else math.ceil(depth * repeats)
        for place in range(scaled):
            _mbconv(drawing, kernel, expand, channels, first if place == 0 else 1, act)
    drawing.conv(1280, 1, act=act)


def _mbconv(drawing: Drawing, kernel: int, expand: int, outputs: int, stride: int, act: str) -> None:
    inputs = drawing.channels
    if expand != 1:
        drawing.conv(inputs * expand, 1, act=act)
    drawing.depthwise(kernel, stride, act=act)
    if act == "swish":
        squeeze_excitation(drawing, max(1, inputs // 4))
    drawing.conv(outputs, 1, act="")
    if stride == 1 and inputs == outputs:
        drawing.add()


def squeeze_excitation(drawing: Drawing, squeezed: int) -> None:
    """Means of all channels, two pointwise layers, and each channel times its gate."""
    maps = drawing.shape
    drawing.mean()
    drawing.conv(squeezed, 1, act="swish", learnt="bias")
    drawing.conv(maps[0], 1, act="", learnt="bias")
    drawing.shape = maps
    drawing.elementwise("Sigmoid", "Mul", beside=maps[0])
