"""Small networks, files of their weights, and what a start from them says."""

from __future__ import annotations

from pathlib import Path
from typing import List, Mapping, Sequence, Union

import torch

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.nets.backbones.resnet import ResNetOptions
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import Checkpoint, save_checkpoint
from edgecvar.train.weights.start import Weights
from edgecvar.train.weights.start import start_from as start_network

BACKBONE = {"width": 0.1, "depth": 0.3}
SPEC = InputSpec(height=32, width=32)
LABELS = ["a", "b", "c"]

FLAT = ResNetOptions(repeats=(1, 1, 1, 1), width=0.125)
DEEP = ResNetOptions(repeats=(2, 1, 1, 1), width=0.125)


class Holder(Network):
    """A network that is one backbone."""

    classes = 3

    def __init__(self, backbone: torch.nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def stages(self) -> List[StageSpec]:
        raise NotImplementedError

    def stage_modules(self) -> Mapping[str, torch.nn.Module]:
        raise NotImplementedError

    def forward(self, batch: ClipBatch) -> torch.Tensor:
        raise NotImplementedError


def network(classes: int = 3, dim: int = 16) -> Network:
    return build_network("attp", {"backbone": BACKBONE, "dim": dim}, SPEC, classes)


def saved(path: Path, source: Network, labels: Sequence[str] = LABELS, spec: InputSpec = SPEC) -> Path:
    save_checkpoint(path, Checkpoint("attp", {}, spec, list(labels), source.state_dict(), ""))
    return path


def start_from(target: Network, files: Sequence[Union[Path, str]], labels: Sequence[str] = ()) -> str:
    """Of files that lie somewhere, for the classes of `saved` unless others are given."""
    weights: Weights = [str(file) for file in files]
    return start_network(target, weights, SPEC, labels or LABELS)
