"""The backbones that a recipe may name where a network takes any that looks at one picture."""

from __future__ import annotations

from typing import Any, Dict, Optional, Union

from edgecvar.errors import unknown_name
from edgecvar.nets.backbones.mobilenet import MOBILENETS, MobileNetOptions, MobileNetV2
from edgecvar.nets.backbones.resnet import RESNETS, ResNet, ResNetOptions

PictureBackbone = Union[ResNet, MobileNetV2]
PictureOptions = Union[ResNetOptions, MobileNetOptions]

NAMED: Dict[str, PictureOptions] = {**RESNETS, **MOBILENETS}


def picture_options(value: Any) -> Any:
    """The options that a backbone's name stands for; anything but a name is passed on."""
    if not isinstance(value, str):
        return value
    if value not in NAMED:
        raise unknown_name("backbone", value, NAMED)
    return NAMED[value]


def picture_backbone(options: PictureOptions, in_channels: int = 3, classes: Optional[int] = None) -> PictureBackbone:
    """The backbone of these options, with random weights; `classes` None leaves its classifier out."""
    build: Any = MobileNetV2 if isinstance(options, MobileNetOptions) else ResNet
    backbone: PictureBackbone = build(options, in_channels, classes)
    return backbone
