"""The networks of the published measurements, by name."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional

from edgecvar.bundle.precision import Precision
from edgecvar.errors import unknown_name
from edgecvar.predict.published.branching import (
    DENSENETS,
    SHUFFLENETS,
    draw_densenet,
    draw_inception_v1,
    draw_shufflenet,
)
from edgecvar.predict.published.drawing import Drawing, Shape
from edgecvar.predict.published.efficientnet import EFFICIENTNETS, draw_attp, draw_efficientnet
from edgecvar.predict.published.efficientvit import EFFICIENTVITS, draw_efficientvit
from edgecvar.predict.published.mobilenet import (
    MNASNET_DEPTHS,
    V1_WIDTHS,
    draw_mnasnet,
    draw_mobilenet_v1,
    draw_mobilenet_v2,
)
from edgecvar.predict.published.plain import SQUEEZENETS, VGGS, draw_alexnet, draw_squeezenet, draw_vgg
from edgecvar.predict.published.resnet import RESNETS, draw_resnet
from edgecvar.predict.published.yolo import YOLOS, draw_yolo11, draw_yolov8
from edgecvar.predict.work import Layer

Draw = Callable[[Drawing, str], None]

_DRAWN: Dict[str, Draw] = {
    "alexnet": draw_alexnet,
    "attp": draw_attp,
    "inception_v1": draw_inception_v1,
    "mobilenet_v2": draw_mobilenet_v2,
    **dict.fromkeys(DENSENETS, draw_densenet),
    **dict.fromkeys(EFFICIENTNETS, draw_efficientnet),
    **dict.fromkeys(EFFICIENTVITS, draw_efficientvit),
    **dict.fromkeys(MNASNET_DEPTHS, draw_mnasnet),
    **dict.fromkeys(RESNETS, draw_resnet),
    **dict.fromkeys(SHUFFLENETS, draw_shufflenet),
    **dict.fromkeys(SQUEEZENETS, draw_squeezenet),
    **dict.fromkeys(V1_WIDTHS, draw_mobilenet_v1),
    **dict.fromkeys(VGGS, draw_vgg),
    **{name: draw_yolo11 if name.startswith("yolo11") else draw_yolov8 for name in YOLOS},
}

SIZES: Dict[str, Shape] = {
    "attp": (3, 240, 240),
    "efficientnet_b1": (3, 240, 240),
    "mobilenet_v1_0.25": (3, 128, 128),
    "mobilenet_v1_0.5": (3, 160, 160),
    **dict.fromkeys(YOLOS, (3, 640, 640)),
}
"""Sizes that networks were published at, where not (3, 224, 224)."""

NETWORKS = tuple(sorted(_DRAWN))


def draw(name: str, precision: Precision, size: Optional[Shape] = None, batch: int = 1) -> Drawing:
    """A network drawn at an input (channels, height, width); ConfigError with the nearest name where it is unknown."""
    if name not in _DRAWN:
        raise unknown_name("published network", name, NETWORKS)
    drawing = Drawing(precision, size or SIZES.get(name, (3, 224, 224)), batch)
    _DRAWN[name](drawing, name)
    return drawing


def network(name: str, precision: Precision, size: Optional[Shape] = None, batch: int = 1) -> List[Layer]:
    """The fused layers of a published network; ConfigError with the nearest name where it is unknown."""
    return draw(name, precision, size, batch).layers
