"""AlexNet, VGG (Simonyan & Zisserman 2015) and SqueezeNet (Iandola et al. 2016), as torchvision has them."""

from __future__ import annotations

from typing import Dict, Tuple

from edgecvar.predict.published.drawing import Drawing

VGGS: Dict[str, Tuple[int, ...]] = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
"""Convolutions before each pooling."""

POOL = 0
SQUEEZENETS: Dict[str, Tuple[Tuple[int, int], Tuple[int, ...]]] = {
    "squeezenet1_0": ((96, 7), (POOL, 16, 16, 32, POOL, 32, 48, 48, 64, POOL, 64)),
    "squeezenet1_1": ((64, 3), (POOL, 16, 16, POOL, 32, 32, POOL, 48, 48, 64, 64)),
}
"""Channels and kernel of the stem, and the squeezed channels of each fire module between poolings."""


def draw_alexnet(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores."""
    drawing.conv(64, 11, 4, padding=2, learnt="bias")
    drawing.pool(3, 2, padding=0)
    drawing.conv(192, 5, learnt="bias")
    drawing.pool(3, 2, padding=0)
    for channels in (384, 256, 256):
        drawing.conv(channels, 3, learnt="bias")
    drawing.pool(3, 2, padding=0)
    drawing.linear(4096, act="relu")
    drawing.linear(4096, act="relu")
    drawing.linear(1000)


def draw_vgg(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores; fusion leaves the same of it with batch norms."""
    for place, count in enumerate(VGGS[name]):
        for _ in range(count):
            drawing.conv(min(512, 64 << place), 3, learnt="bias")
        drawing.pool(2, 2)
    drawing.linear(4096, act="relu")
    drawing.linear(4096, act="relu")
    drawing.linear(1000)


def draw_squeezenet(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores."""
    (channels, kernel), modules = SQUEEZENETS[name]
    drawing.conv(channels, kernel, 2, padding=0, learnt="bias")
    for squeezed in modules:
        if squeezed == POOL:
            drawing.pool(3, 2, padding=0, ceil=True)
        else:
            _fire(drawing, squeezed)
    drawing.conv(1000, 1, learnt="bias")
    drawing.mean()


def _fire(drawing: Drawing, squeezed: int) -> None:
    drawing.conv(squeezed, 1, learnt="bias")
    entering = drawing.shape
    for kernel in (1, 3):
        drawing.shape = entering
        drawing.conv(4 * squeezed, kernel, learnt="bias")
    drawing.joined(8 * squeezed)
