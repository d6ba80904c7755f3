"""What a network costs: parameters and multiply-adds of its stages, counted on the modules themselves."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import torch
from torch import Tensor, nn

from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.nets.network import Network


@dataclass(frozen=True)
class PartCost:
    """One part of a stage, such as its backbone: weights, and multiply-adds of one run on one sample."""

    name: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class StageCost:
    """One stage and its parts; `runs` is how often a sampled picture needs its output (2: current and adjacent)."""

    name: str
    cadence: str
    runs: int
    parts: Tuple[PartCost, ...]

    @property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.parts)

    @property
    def multiply_adds(self) -> int:
        return sum(part.multiply_adds for part in self.parts)


@dataclass(frozen=True)
class NetworkCost:
    """The cost of a network, stage by stage, and what it makes of a window of `gop_length` pictures."""

    stages: Tuple[StageCost, ...]
    gop_length: int

    @property
    def parameters(self) -> int:
        return sum(stage.parameters for stage in self.stages)

    @property
    def multiply_adds(self) -> int:
        """Of one sampled picture when nothing is kept: as the paper counts, both I-pictures included."""
        return sum(stage.multiply_adds * stage.runs for stage in self.stages)

    def window_multiply_adds(self, sampled: int) -> int:
        """Of a window with `sampled` pictures when I-features are kept: each I-picture is computed once."""
        return sum(stage.multiply_adds * (1 if stage.cadence == "gop" else sampled) for stage in self.stages)

    def sampled_multiply_adds(self, sampled: int) -> float:
        """Of one sampled picture, its share of the window's I-features included."""
        return self.window_multiply_adds(sampled) / sampled

    def stream_multiply_adds(self, sampled: int) -> float:
        """Of one picture of the stream, sampled or not."""
        return self.window_multiply_adds(sampled) / self.gop_length


def describe_network(network: Network, gop_length: int) -> NetworkCost:
    """Count a network's stages; multiply-adds are those of its convolutions and linear layers.

    The elementwise work (activations, gates, the Hadamard product) is left out, as in the papers.
    """
    specs = network.stages()
    taken = [tensor.source for place, spec in enumerate(specs) for tensor in _from_stages(spec, specs[:place])]
    costs = [_stage_cost(network.stage(spec.name), spec, taken.count(spec.name)) for spec in specs]
    return NetworkCost(tuple(costs), gop_length)


def _from_stages(spec: StageSpec, earlier: Sequence[StageSpec]) -> List[StageInput]:
    """The inputs that come from earlier stages, which hide prepared inputs of the same name."""
    names = {stage.name for stage in earlier}
    return [tensor for tensor in spec.inputs if tensor.source in names]


def _stage_cost(module: nn.Module, spec: StageSpec, taken: int) -> StageCost:
    stage = copy.deepcopy(module).to("meta").eval()  # shapes without the arithmetic
    counted: Dict[str, int] = {}
    for name, layer in stage.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(_counter(name.split(".")[0], counted))
    with torch.no_grad():
        stage(*(torch.empty(1, *tensor.shape, device="meta") for tensor in spec.inputs))
    parts = []
    for name, part in stage.named_children():
        parameters = sum(weight.numel() for weight in part.parameters())
        if parameters:
            parts.append(PartCost(name, parameters, counted.get(name, 0)))
    return StageCost(spec.name, spec.cadence, max(1, taken), tuple(parts))


def _counter(name: str, counted: Dict[str, int]) -> Any:
    def count(module: nn.Module, inputs: Tuple[Tensor, ...], output: Tensor) -> None:
        # A row of the weight is what one output element multiplies.
        counted[name] = counted.get(name, 0) + output[0].numel() * module.weight[0].numel()  # type: ignore[operator, index]

    return count
