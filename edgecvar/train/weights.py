"""Weights to start from: a checkpoint of this toolkit, or one published backbone for every branch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Mapping

from torch import Tensor, nn

from edgecvar.errors import ConfigError
from edgecvar.nets.efficientnet import EfficientNet
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import load_tensors


def start_from(network: Network, path: Path) -> str:
    """Copy weights into a new network; returns one line that says what was taken and what starts afresh.

    A classifier of other classes and a first convolution of other input channels start afresh; anything else that
    does not fit is a ConfigError.
    """
    document = load_tensors(path)
    if "schema" in document:
        return f"{path}: {_copy(network, document['state'], path)}"
    backbones = [module for module in network.modules() if isinstance(module, EfficientNet)]
    told = {_copy(backbone, document, path) for backbone in backbones}
    return f"{path}: {len(backbones)} backbones: {'; '.join(sorted(told))}"


def _copy(module: nn.Module, state: Mapping[str, Any], path: Path) -> str:
    own = module.state_dict()
    fitting = {
        name: tensor
        for name, tensor in state.items()
        if name in own and isinstance(tensor, Tensor) and tensor.shape == own[name].shape
    }
    afresh = [name for name in own if name not in fitting]
    unfit = [name for name in afresh if not _may_start_afresh(module, name)]
    if unfit:
        raise ConfigError(f"{path}: no weights of shape {tuple(own[unfit[0]].shape)} for {unfit[0]} in it")
    module.load_state_dict(fitting, strict=False)
    return f"{len(fitting)} tensors taken" + (f", afresh: {', '.join(afresh)}" if afresh else "")


def _may_start_afresh(module: nn.Module, name: str) -> bool:
    owner = module.get_submodule(name.rpartition(".")[0])
    return isinstance(owner, nn.Linear) or (isinstance(owner, nn.Conv2d) and owner in _first_convolutions(module))


def _first_convolutions(module: nn.Module) -> List[nn.Module]:
    backbones = [part for part in module.modules() if isinstance(part, EfficientNet)]
    return [next(part for part in backbone.modules() if isinstance(part, nn.Conv2d)) for backbone in backbones]
