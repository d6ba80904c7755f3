"""What is compiled: a trained network from its checkpoint, or an untrained one for profiling."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

import torch
from torch import nn

from edgecvar.bundle.stages import StageSpec, takes_frames
from edgecvar.clips.spec import InputSpec
from edgecvar.compile.config import CompileConfig
from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import BEST, load_checkpoint, newest_run

SEED = 0
"""Of an untrained network's weights, so that two such bundles are the same."""


@dataclass(frozen=True)
class Subject:
    """A network in eval mode with what a bundle says of it; `data` is where a run found its clips."""

    model: str
    network: Network
    input: InputSpec
    labels: List[str]
    checkpoint: Optional[Path] = None
    recipe: Optional[str] = None
    data: Optional[str] = None

    @property
    def untrained(self) -> bool:
        return self.checkpoint is None

    @property
    def stages(self) -> List[StageSpec]:
        return self.network.stages()

    @property
    def frames(self) -> bool:
        """Whether a stage looks at decoded frames."""
        return takes_frames(self.stages)


def find_subject(config: CompileConfig) -> Subject:
    """The network that `config` asks for; raises ConfigError."""
    if config.untrained:
        return _untrained(config)
    if config.checkpoint is None and config.model is None:
        raise ConfigError("nothing to compile: name a model (its newest run is taken) or a checkpoint")
    path = config.checkpoint or newest_run(str(config.model), config.runs) / BEST
    checkpoint = load_checkpoint(path)
    if config.model not in (None, checkpoint.model):
        raise ConfigError(f"{path}: a checkpoint of {checkpoint.model!r}, not of {config.model!r}")
    return Subject(
        model=checkpoint.model,
        network=checkpoint.build(),
        input=checkpoint.input,
        labels=checkpoint.labels,
        checkpoint=path,
        recipe=checkpoint.recipe,
        data=checkpoint.data,
    )


def _untrained(config: CompileConfig) -> Subject:
    if config.checkpoint is not None:
        raise ConfigError("an untrained network has no checkpoint: give one or the other")
    if config.model is None:
        raise ConfigError("an untrained network of which model? for example --model attp")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = build_network(config.model, config.network, config.input, config.classes).eval()
    digits = len(str(config.classes - 1))
    labels = [f"untrained {number:0{digits}d}" for number in range(config.classes)]
    return Subject(model=config.model, network=network, input=config.input, labels=labels)


def settle_norms(network: Network, batch: ClipBatch) -> None:
    """Set the batch norm statistics of new weights to those of real inputs, with and without noise.

    With the statistics that they start with, activations fade from layer to layer to some 1e-15: there would be
    nothing to compare, and denormal numbers would spoil every timing. The noise is for inputs that hardly vary, a
    field of one motion for instance: normalised alone, their rounding errors would grow from layer to layer.
    Without the real inputs as they are, those would lie far from what the statistics say, and grow likewise.
    """
    norms = [part for part in network.modules() if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        inputs = {"image": batch.image, "adjacent_image": batch.adjacent_image}
        inputs.update(motion=batch.motion, residual=batch.residual)
        for name, value in (("frame", batch.frame), ("intra", batch.intra)):
            if value is not None:
                inputs[name] = value
        both = {name: torch.cat([tensor, tensor + torch.randn_like(tensor)]) for name, tensor in inputs.items()}
        network.train()
        network(ClipBatch(**both, labels=batch.labels.repeat(2)))
        network.eval()
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
