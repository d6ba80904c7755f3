"""YOLOv8 and YOLO11 as Ultralytics publishes them, up to what each place says of boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

from edgecvar.predict.published.drawing import Drawing, Shape

CLASSES = 80
BINS = 16
"""Of the distribution that each side of a box is read from."""


@dataclass(frozen=True)
class Scale:
    """Multipliers of a network's depth and width, and its most channels; `thick`: its C3k2 blocks hold C3k ones."""

    depth: float
    width: float
    most: int
    thick: bool = False

    def channels(self, channels: int) -> int:
        """To a multiple of 8."""
        return -(-int(min(channels, self.most) * self.width) // 8) * 8

    def repeats(self, count: int) -> int:
        return max(1, round(count * self.depth))


YOLOS: Dict[str, Scale] = {
    "yolov8n": Scale(0.33, 0.25, 1024),
    "yolov8s": Scale(0.33, 0.5, 1024),
    "yolo11n": Scale(0.5, 0.25, 1024),
    "yolo11s": Scale(0.5, 0.5, 1024),
    "yolo11m": Scale(0.5, 1.0, 512, thick=True),
    "yolo11l": Scale(1.0, 1.0, 512, thick=True),
    "yolo11x": Scale(1.0, 1.5, 512, thick=True),
}


def draw_yolov8(drawing: Drawing, name: str) -> None:
    """Backbone, neck and heads."""
    scale = YOLOS[name]
    kept: List[Shape] = []
    _conv(drawing, scale.channels(64), 3, 2)
    for channels, count in ((128, 3), (256, 6), (512, 6), (1024, 3)):
        _conv(drawing, scale.channels(channels), 3, 2)
        _c2f(drawing, scale.channels(channels), scale.repeats(count), adds=True)
        kept.append(drawing.shape)
    _sppf(drawing)
    upper = _upsampled(drawing, kept[2])
    _c2f(drawing, scale.channels(512), scale.repeats(3), adds=False)
    middle = drawing.shape
    _upsampled(drawing, kept[1])
    _c2f(drawing, scale.channels(256), scale.repeats(3), adds=False)
    maps = [drawing.shape]
    for channels, beside in ((512, middle), (1024, upper)):
        _conv(drawing, drawing.channels, 3, 2)
        drawing.joined(drawing.channels + beside[0])
        _c2f(drawing, scale.channels(channels), scale.repeats(3), adds=False)
        maps.append(drawing.shape)
    _heads(drawing, maps, light=False)


def draw_yolo11(drawing: Drawing, name: str) -> None:
    """Backbone, neck and heads."""
    scale = YOLOS[name]
    kept: List[Shape] = []
    _conv(drawing, scale.channels(64), 3, 2)
    for place, (entering, channels) in enumerate(((128, 256), (256, 512), (512, 512), (1024, 1024))):
        _conv(drawing, scale.channels(entering), 3, 2)
        _c3k2(
            drawing, scale.channels(channels), scale, thick=scale.thick or place >= 2, share=0.5 if place >= 2 else 0.25
        )
        kept.append(drawing.shape)
    _sppf(drawing)
    _c2psa(drawing, scale.repeats(2))
    upper = _upsampled(drawing, kept[2])
    _c3k2(drawing, scale.channels(512), scale, thick=scale.thick)
    middle = drawing.shape
    _upsampled(drawing, kept[1])
    _c3k2(drawing, scale.channels(256), scale, thick=scale.thick)
    maps = [drawing.shape]
    for channels, beside, thick in ((512, middle, scale.thick), (1024, upper, True)):
        _conv(drawing, drawing.channels, 3, 2)
        drawing.joined(drawing.channels + beside[0])
        _c3k2(drawing, scale.channels(channels), scale, thick=thick)
        maps.append(drawing.shape)
    _heads(drawing, maps, light=True)


def _conv(drawing: Drawing, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1) -> None:
    drawing.conv(outputs, kernel, stride, groups=groups, act="swish")


def _bottleneck(drawing: Drawing, hidden: int, adds: bool) -> None:
    """Two 3 x 3 and their sum, which follows the activation and so is a layer of its own."""
    outputs = drawing.channels
    _conv(drawing, hidden, 3)
    _conv(drawing, outputs, 3)
    if adds:
        drawing.elementwise("Add", beside=drawing.elements)


def _c2f(drawing: Drawing, outputs: int, count: int, adds: bool) -> None:
    half = outputs // 2
    _conv(drawing, 2 * half, 1)
    drawing.joined(half)
    for _ in range(count):
        _bottleneck(drawing, half, adds)
    drawing.joined((2 + count) * half)
    _conv(drawing, outputs, 1)


def _c3k2(drawing: Drawing, outputs: int, scale: Scale, *, thick: bool, share: float = 0.5) -> None:
    hidden = int(outputs * share)
    count = scale.repeats(2)
    _conv(drawing, 2 * hidden, 1)
    drawing.joined(hidden)
    for _ in range(count):
        if thick:
            _c3k(drawing)
        else:
            _bottleneck(drawing, hidden // 2, adds=True)
    drawing.joined((2 + count) * hidden)
    _conv(drawing, outputs, 1)


def _c3k(drawing: Drawing) -> None:
    entering = drawing.shape
    half = entering[0] // 2
    _conv(drawing, half, 1)
    drawing.shape = entering
    _conv(drawing, half, 1)
    for _ in range(2):
        _bottleneck(drawing, half, adds=True)
    drawing.joined(2 * half)
    _conv(drawing, entering[0], 1)


def _sppf(drawing: Drawing) -> None:
    outputs = drawing.channels
    _conv(drawing, outputs // 2, 1)
    for _ in range(3):
        drawing.pool(5, 1)
    drawing.joined(2 * outputs)
    _conv(drawing, outputs, 1)


def _c2psa(drawing: Drawing, count: int) -> None:
    """Half of the channels through attention over all places and two pointwise layers, `count` times."""
    outputs = drawing.channels
    half = outputs // 2
    _conv(drawing, outputs, 1)
    drawing.joined(half)
    for _ in range(count):
        _attention(drawing)
        _conv(drawing, 2 * half, 1)
        drawing.conv(half, 1, act="")
        drawing.add()
    drawing.joined(outputs)
    _conv(drawing, outputs, 1)


def _attention(drawing: Drawing) -> None:
    maps = drawing.shape
    channels, height, width = maps
    heads = channels // 64
    dimension, key, places = channels // heads, channels // heads // 2, height * width
    drawing.conv(channels + 2 * key * heads, 1, act="")
    drawing.movement("Slice")
    drawing.matmul(heads, places, key, places)
    drawing.elementwise("Mul", "Softmax")
    drawing.matmul(heads, dimension, places, places)
    drawing.shape = maps
    drawing.conv(channels, 3, groups=channels, act="")
    drawing.add()
    drawing.conv(channels, 1, act="")
    drawing.add()


def _upsampled(drawing: Drawing, beside: Shape) -> Shape:
    """The maps at twice the side joined with kept ones; returns what they were before."""
    before = drawing.shape
    drawing.movement("Resize", (before[0], beside[1], beside[2]))
    drawing.joined(before[0] + beside[0])
    return before


def _heads(drawing: Drawing, maps: List[Shape], light: bool) -> None:
    """Boxes and class scores of every place; `light`: the scores' convolutions are depthwise separable."""
    first = maps[0][0]
    boxed, scored = max(16, first // 4, 4 * BINS), max(first, min(CLASSES, 100))
    places = sum(height * width for _, height, width in maps)
    for shape in maps:
        drawing.shape = shape
        for _ in range(2):
            _conv(drawing, boxed, 3)
        drawing.conv(4 * BINS, 1, act="", learnt="bias")
        drawing.shape = shape
        for _ in range(2):
            if light:
                _conv(drawing, drawing.channels, 3, groups=drawing.channels)
            _conv(drawing, scored, 1 if light else 3)
        drawing.conv(CLASSES, 1, act="", learnt="bias")
    _decoded(drawing, (4 * BINS, 1, places))


def _decoded(drawing: Drawing, boxes: Tuple[int, int, int]) -> None:
    """The expectation of each side's distribution, and the scores' sigmoid."""
    drawing.shape = boxes
    drawing.movement("Transpose")
    drawing.elementwise("Softmax")
    drawing.shape = (BINS, 4, boxes[2])
    drawing.parameters += BINS
    drawing.conv(1, 1, act="", learnt="")
    drawing.parameters -= BINS
    drawing.shape = (4, 1, boxes[2])
    drawing.elementwise("Sub", "Add", "Mul", beside=drawing.elements)
    drawing.shape = (CLASSES, 1, boxes[2])
    drawing.elementwise("Sigmoid")
