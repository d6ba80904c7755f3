"""ResNet (He et al. 2016) as torchvision has it, and as TensorFlow's slim has it."""

from __future__ import annotations

from typing import Dict, Tuple

from edgecvar.predict.published.drawing import Drawing

RESNETS: Dict[str, Tuple[str, Tuple[int, ...]]] = {
    "resnet18": ("basic", (2, 2, 2, 2)),
    "resnet34": ("basic", (3, 4, 6, 3)),
    "resnet50": ("bottleneck", (3, 4, 6, 3)),
    "resnet101": ("bottleneck", (3, 4, 23, 3)),
    "resnet152": ("bottleneck", (3, 8, 36, 3)),
    "resnet50_slim": ("slim", (3, 4, 6, 3)),
    "resnet101_slim": ("slim", (3, 4, 23, 3)),
    "resnet152_slim": ("slim", (3, 8, 36, 3)),
}
"""Block and repeats of each; `slim` strides in a layer's last block, so its fourth of five sizes comes earlier."""


def draw_resnet(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores."""
    block, repeats = RESNETS[name]
    drawing.conv(64, 7, 2)
    drawing.pool(3, 2)
    for layer, count in enumerate(repeats):
        channels = 64 << layer
        for place in range(count):
            if block == "slim":
                _bottleneck(drawing, channels, 2 if place == count - 1 and layer < 3 else 1)
            else:
                stride = 2 if place == 0 and layer > 0 else 1
                (_basic if block == "basic" else _bottleneck)(drawing, channels, stride)
    drawing.mean()
    drawing.linear(1000)


def _basic(drawing: Drawing, channels: int, stride: int) -> None:
    entering = drawing.shape
    _shortcut(drawing, channels, stride)
    drawing.shape = entering
    drawing.conv(channels, 3, stride)
    drawing.conv(channels, 3, act="")
    drawing.add("relu")


def _bottleneck(drawing: Drawing, channels: int, stride: int) -> None:
    entering = drawing.shape
    _shortcut(drawing, 4 * channels, stride)
    drawing.shape = entering
    drawing.conv(channels, 1)
    drawing.conv(channels, 3, stride)
    drawing.conv(4 * channels, 1, act="")
    drawing.add("relu")


def _shortcut(drawing: Drawing, outputs: int, stride: int) -> None:
    """A projection where the channels change, a subsampling where only the side does."""
    if drawing.channels != outputs:
        drawing.conv(outputs, 1, stride, act="")
    elif stride > 1:
        drawing.pool(1, stride)
