"""MobileNet V1 (Howard et al. 2017) with V2 (Sandler et al. 2018) and MNASNet (Tan et al. 2019)."""

from __future__ import annotations

from typing import Dict

from edgecvar.predict.published.drawing import Drawing

V1_WIDTHS: Dict[str, float] = {"mobilenet_v1": 1.0, "mobilenet_v1_0.5": 0.5, "mobilenet_v1_0.25": 0.25}
MNASNET_DEPTHS: Dict[str, float] = {"mnasnet0_5": 0.5, "mnasnet0_75": 0.75, "mnasnet1_0": 1.0, "mnasnet1_3": 1.3}

V1_ROWS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Channels and stride of each depthwise separable convolution."""

V2_ROWS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, repeats and first stride."""

MNASNET_ROWS = (
    (3, 3, 24, 3, 2), (5, 3, 40, 3, 2), (5, 6, 80, 3, 2), (3, 6, 96, 2, 1), (5, 6, 192, 4, 2), (3, 6, 320, 1, 1),
)  # fmt: skip
"""Kernel, expansion, channels, repeats and first stride."""


def draw_mobilenet_v1(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores."""
    width = V1_WIDTHS[name]
    drawing.conv(int(32 * width), 3, 2)
    for channels, stride in V1_ROWS:
        drawing.depthwise(3, stride)
        drawing.conv(int(channels * width), 1)
    drawing.mean()
    drawing.linear(1000)


def draw_mobilenet_v2(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores."""
    drawing.conv(32, 3, 2, act="clip")
    for expand, channels, repeats, first in V2_ROWS:
        for place in range(repeats):
            inverted_residual(drawing, 3, expand, channels, first if place == 0 else 1, act="clip")
    drawing.conv(1280, 1, act="clip")
    drawing.mean()
    drawing.linear(1000)


def draw_mnasnet(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores, as torchvision has it."""
    depths = [_multiple_of_8(channels * MNASNET_DEPTHS[name]) for channels in (32, 16)]
    drawing.conv(depths[0], 3, 2)
    drawing.depthwise(3)
    drawing.conv(depths[1], 1, act="")
    for kernel, expand, channels, repeats, first in MNASNET_ROWS:
        outputs = _multiple_of_8(channels * MNASNET_DEPTHS[name])
        for place in range(repeats):
            inverted_residual(drawing, kernel, expand, outputs, first if place == 0 else 1, act="relu")
    drawing.conv(1280, 1)
    drawing.mean()
    drawing.linear(1000)


def inverted_residual(drawing: Drawing, kernel: int, expand: int, outputs: int, stride: int, act: str) -> None:
    """Expand, depthwise, project, with the sum where the shape allows it."""
    inputs = drawing.channels
    if expand != 1:
        drawing.conv(inputs * expand, 1, act=act)
    drawing.depthwise(kernel, stride, act=act)
    drawing.conv(outputs, 1, act="")
    if stride == 1 and inputs == outputs:
        drawing.add()


def _multiple_of_8(exact: float) -> int:
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * exact else rounded + 8
