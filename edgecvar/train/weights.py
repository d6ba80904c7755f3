"""Weights to start from: a checkpoint of this toolkit, or published state dicts for the backbones.

A published state dict fits a backbone whose plain form has just its names and shapes, whatever a network has added to
its blocks: EfficientNet and ResNet as torchvision publishes them, an I3D-ResNet as itself or, inflated, as the 2D
network. What the file does not have starts afresh: added modules, and a classifier of other classes.

A first convolution of other input channels takes the mean over the published ones, repeated, times published / own
channels: an input whose channels are equal gives what a grey picture gives the published network, so activations keep
their size. (Temporal segment networks, Wang et al. 2016, section 3.2, start a flow network so, without the factor.
CoViAR's released code starts that of MV at random, which only DMC-Net and CoViAR could follow: one rule is kept.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import EfficientNet
from edgecvar.nets.backbones.resnet import ResNet
from edgecvar.nets.backbones.resnet3d import ResNet3d, inflate
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import load_checkpoint, load_tensors

Backbone = Union[EfficientNet, ResNet, ResNet3d]
State = Mapping[str, Tensor]
Shapes = Dict[str, Tuple[int, ...]]

CLASSIFIERS = ("fc.", "classifier.")
"""What torchvision's classifiers are called."""

COUNTER = ".num_batches_tracked"
"""What the older of torchvision's files do not have."""

PUBLISHED_CHANNELS = 3


def start_from(network: Network, paths: Sequence[Path]) -> str:
    """Copy weights into a new network; returns one line that says what was taken and what starts afresh.

    `paths`: one checkpoint, or one or more published state dicts, of which every backbone takes the first that fits.
    From a checkpoint a classifier of other classes and a first convolution of other input channels start afresh.
    Raises ConfigError where nothing fits a backbone, or a file none of them.
    """
    documents = {path: load_tensors(path) for path in paths}
    for path, document in documents.items():
        if "schema" in document:
            if len(documents) > 1:
                raise ConfigError(f"{path}: a checkpoint is the whole network; leave the other files of weights out")
            return f"{path}: {_copy_checkpoint(network, load_checkpoint(path).state, path)}"
    return _copy_published(network, documents)


def _copy_published(network: Network, documents: Mapping[Path, Any]) -> str:
    backbones = _backbones(network)
    if not backbones:
        raise ConfigError(f"{next(iter(documents))}: the network has no backbone that a published file could fill")
    fillings: Dict[Path, List[str]] = {path: [] for path in documents}
    for name, backbone in backbones.items():
        path, state = _own_file(name, backbone, documents)
        fillings[path].append(_fill(backbone, state))
    unused = [str(path) for path, each in fillings.items() if not each]
    if unused:
        raise ConfigError(f"{unused[0]}: fits no backbone of the network; leave it out")
    return "; ".join(
        f"{path}: {len(each)} backbones: {'; '.join(sorted(set(each)))}" for path, each in fillings.items()
    )


def _backbones(module: nn.Module) -> Dict[str, Backbone]:
    return {name: part for name, part in module.named_modules() if isinstance(part, (EfficientNet, ResNet, ResNet3d))}


def _first_convolution(backbone: Backbone) -> str:
    return "features.0.0.weight" if isinstance(backbone, EfficientNet) else "conv1.weight"


def _own_file(name: str, backbone: Backbone, documents: Mapping[Path, Any]) -> Tuple[Path, State]:
    """The first file that has one of the backbone's plain forms, as a state dict of its own dimensions."""
    complaints: List[str] = []
    for path, document in documents.items():
        for plain in _plain_forms(backbone):
            complaint = _difference(plain, document)
            if complaint is None:
                return path, inflate(document, backbone)
            complaints.append(f"{path}: {complaint}")
    more = f" ({len(documents) - 1} more files do not fit either)" if len(documents) > 1 else ""
    raise ConfigError(f"{complaints[0]}, for the backbone {name!r}{more}")


def _plain_forms(backbone: Backbone) -> List[Shapes]:
    """Names and shapes of what is published for a backbone, without classifier and counters."""
    with torch.device("meta"):
        if isinstance(backbone, ResNet):
            forms: List[nn.Module] = [ResNet(backbone.options)]
        elif isinstance(backbone, ResNet3d):
            forms = [ResNet(backbone.options.flat), ResNet3d(backbone.options)]
        else:
            forms = [EfficientNet(backbone.options)]
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
        if published.get(name) != shape:
            return f"no weights of shape {shape} for {name} in it"
    unknown = [name for name in published if name not in plain]
    return f"weights of another network in it, such as {unknown[0]}" if unknown else None


def _fill(backbone: Backbone, state: State) -> str:
    """Copy what fits, the first convolution adapted; one line that says what was done."""
    own, first = backbone.state_dict(), _first_convolution(backbone)
    channels = own[first].shape[1]
    adapted = {**state, first: adapt_channels(state[first], channels)}
    fitting = {name: tensor for name, tensor in adapted.items() if name in own and tensor.shape == own[name].shape}
    backbone.load_state_dict(fitting, strict=False)
    afresh = [name for name in own if name not in fitting and not name.endswith(COUNTER)]
    summary = f"{len(fitting)} tensors taken"
    if channels != PUBLISHED_CHANNELS:
        summary += f", {first} adapted from {PUBLISHED_CHANNELS} to {channels} channels"
    return summary + _listed(afresh)


def adapt_channels(weight: Tensor, channels: int) -> Tensor:
    """A first convolution (out, in, ...) for another number of input channels, as the file's docstring states."""
    published = weight.shape[1]
    if published == channels:
        return weight
    mean = weight.mean(1, keepdim=True) * (published / channels)
    return mean.repeat_interleave(channels, 1)  # (out, channels, ...)


def _copy_checkpoint(network: Network, state: Mapping[str, Any], path: Path) -> str:
    own = network.state_dict()
    fitting = {
        name: tensor
        for name, tensor in state.items()
        if name in own and isinstance(tensor, Tensor) and tensor.shape == own[name].shape
    }
    afresh = [name for name in own if name not in fitting]
    for name in afresh:
        if not _may_start_afresh(network, name, own[name], state.get(name)):
            raise ConfigError(f"{path}: no weights of shape {tuple(own[name].shape)} for {name} in it")
    network.load_state_dict(fitting, strict=False)
    return f"{len(fitting)} tensors taken{_listed(afresh)}"


def _may_start_afresh(network: Network, name: str, own: Tensor, other: Any) -> bool:
    """Whether all that differs is a classifier's number of classes, or a first convolution's of input channels."""
    if not isinstance(other, Tensor):
        return False
    if isinstance(network.get_submodule(name.rpartition(".")[0]), nn.Linear):
        return own.shape[0] == network.classes and own.shape[1:] == other.shape[1:]
    firsts = [f"{place}.{_first_convolution(part)}" for place, part in _backbones(network).items()]
    return name in firsts and own.shape[:1] + own.shape[2:] == other.shape[:1] + other.shape[2:]


def _listed(afresh: Sequence[str]) -> str:
    limit = 4
    if not afresh:
        return ""
    more = f" and {len(afresh) - limit} more" if len(afresh) > limit else ""
    return f", afresh: {', '.join(afresh[:limit])}{more}"
