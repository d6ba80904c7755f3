"""DenseNet (Huang et al. 2017), Inception v1 (Szegedy et al. 2015) and ShuffleNetV2 (Ma et al. 2018)."""

from __future__ import annotations

from typing import Dict, Tuple

from edgecvar.predict.published.drawing import Drawing

DENSENETS: Dict[str, Tuple[int, int, Tuple[int, ...]]] = {
    "densenet121": (64, 32, (6, 12, 24, 16)),
    "densenet161": (96, 48, (6, 12, 36, 24)),
    "densenet169": (64, 32, (6, 12, 32, 32)),
    "densenet201": (64, 32, (6, 12, 48, 32)),
}
"""Channels of the stem, growth, and layers of each block."""

POOL: Tuple[int, ...] = ()
INCEPTION_MODULES: Tuple[Tuple[int, ...], ...] = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), POOL,
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128), POOL,
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip
"""Channels: 1 x 1; before and in the first 3 x 3; before and in the second; behind the pooling."""

SHUFFLENETS: Dict[str, Tuple[int, int, int, int, int]] = {
    "shufflenet_v2_x0_5": (24, 48, 96, 192, 1024),
    "shufflenet_v2_x1_0": (24, 116, 232, 464, 1024),
    "shufflenet_v2_x1_5": (24, 176, 352, 704, 1024),
    "shufflenet_v2_x2_0": (24, 244, 488, 976, 2048),
}
SHUFFLENET_REPEATS = (4, 8, 4)


def draw_densenet(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores; its norms before a convolution are layers of their own."""
    channels, growth, blocks = DENSENETS[name]
    drawing.conv(channels, 7, 2)
    drawing.pool(3, 2)
    for place, count in enumerate(blocks):
        for _ in range(count):
            entering = drawing.shape
            _norm(drawing)
            drawing.conv(4 * growth, 1)
            drawing.conv(growth, 3, act="", learnt="")
            drawing.shape = entering
            drawing.joined(entering[0] + growth)
        _norm(drawing)
        if place < len(blocks) - 1:
            drawing.conv(drawing.channels // 2, 1, act="", learnt="")
            drawing.pool(2, 2, operator="AveragePool")
    drawing.mean()
    drawing.linear(1000)


def _norm(drawing: Drawing) -> None:
    drawing.elementwise("BatchNormalization", "Relu", parameters=2 * drawing.channels)


def draw_inception_v1(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores, with batch norms and a second 3 x 3 for the 5 x 5."""
    drawing.conv(64, 7, 2)
    drawing.pool(3, 2)
    drawing.conv(64, 1)
    drawing.conv(192, 3)
    drawing.pool(3, 2)
    for module in INCEPTION_MODULES:
        if module == POOL:
            drawing.pool(3, 2)
        else:
            _inception(drawing, module)
    drawing.mean()
    drawing.linear(1000)


def _inception(drawing: Drawing, module: Tuple[int, ...]) -> None:
    entering = drawing.shape
    drawing.conv(module[0], 1)
    for squeezed, outputs in (module[1:3], module[3:5]):
        drawing.shape = entering
        drawing.conv(squeezed, 1)
        drawing.conv(outputs, 3)
    drawing.shape = entering
    drawing.pool(3, 1)
    drawing.conv(module[5], 1)
    drawing.joined(module[0] + module[2] + module[4] + module[5])


def draw_shufflenet(drawing: Drawing, name: str) -> None:
    """The whole network, to 1,000 scores, as torchvision has it."""
    stem, *stages, last = SHUFFLENETS[name]
    drawing.conv(stem, 3, 2)
    drawing.pool(3, 2)
    for channels, repeats in zip(stages, SHUFFLENET_REPEATS):
        for place in range(repeats):
            _shuffled(drawing, channels, 2 if place == 0 else 1)
    drawing.conv(last, 1)
    drawing.mean()
    drawing.linear(1000)


def _shuffled(drawing: Drawing, channels: int, stride: int) -> None:
    """Half of the channels as they are, or both halves made anew where the side shrinks, and the shuffle."""
    half = channels // 2
    entering = drawing.shape
    if stride == 1:
        drawing.movement("Slice", (half, *entering[1:]))
    else:
        drawing.depthwise(3, stride, act="")
        drawing.conv(half, 1)
        drawing.shape = entering
    drawing.conv(half, 1)
    drawing.depthwise(3, stride, act="")
    drawing.conv(half, 1)
    drawing.joined(channels)
    drawing.movement("Transpose")
