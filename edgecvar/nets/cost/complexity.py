"""What a network costs: parameters and multiply-adds of its stages, counted on the modules themselves."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Dict, Protocol, Sequence, Set, Tuple, runtime_checkable

import torch
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.nets.network import Network

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@runtime_checkable
class CountsProducts(Protocol):
    """A module that multiplies activations by activations, such as attention, and says so for `describe_network`."""

    def activation_products(self, *inputs: Tensor) -> int:
        """Multiply-adds of its matrix products of activations in one call; its layers are counted on their own."""
        ...


@dataclass(frozen=True)
class PartCost:
    """One part of a stage, such as its backbone: weights, and multiply-adds of one run on one sample."""

    name: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class StageCost:
    """One stage and its parts, of one run, which for a stage with segments is a run on all of them.

    `runs` is how often one decision needs its output when nothing is kept: 2 for current and adjacent, T times for a
    stage that takes the newest T.
    """

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
        """Of one decision when nothing is kept: as papers count, both I-pictures and all of a clip included."""
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
    """Count a network's stages; multiply-adds are those of convolutions, linear layers and stated products.

    Products of activations count where their module is one that CountsProducts; other such products and elementwise
    work (activations, gates, the Hadamard product) are left out, as in the papers.
    """
    specs = network.stages()
    runs = _runs(specs)
    costs = [_stage_cost(network.stage(spec.name), spec, runs[spec.name]) for spec in specs]
    return NetworkCost(tuple(costs), gop_length)


def _runs(specs: Sequence[StageSpec]) -> Dict[str, int]:
    """How many outputs of each stage go into one of the last stage: of how many samples ago, and of which window."""
    needed: Dict[str, Set[Tuple[int, str]]] = {spec.name: {(0, "current")} for spec in specs[-1:]}
    for place in reversed(range(len(specs))):
        spec, earlier = specs[place], {stage.name for stage in specs[:place]}
        for tensor in spec.inputs:
            if tensor.source not in earlier:
                continue
            for age, gop in needed.get(spec.name, ()):
                whose = tensor.gop if gop == "current" else gop
                more = {(age + back, whose) for back in range(tensor.segments or 1)}
                needed.setdefault(tensor.source, set()).update(more)
    return {spec.name: len(needed.get(spec.name, ())) or 1 for spec in specs}


def _stage_cost(module: nn.Module, spec: StageSpec, runs: int) -> StageCost:
    stage = copy.deepcopy(module).to("meta").eval()  # shapes without the arithmetic
    counted: Dict[str, int] = {}
    for name, layer in stage.named_modules():
        counts = isinstance(layer, (*LAYERS, *TRANSPOSED, CountsProducts))
        if counts:
            layer.register_forward_hook(_counter(name.split(".")[0], counted))
    with torch.no_grad():
        stage(*(torch.empty(1, *shape, device="meta") for shape in spec.takes.values()))
    parts = []
    own = sum(weight.numel() for weight in stage.parameters(recurse=False))
    if own or "" in counted:
        parts.append(PartCost(spec.name, own, counted.get("", 0)))
    for name, part in stage.named_children():
        parameters = sum(weight.numel() for weight in part.parameters())
        if parameters or name in counted:
            parts.append(PartCost(name, parameters, counted.get(name, 0)))
    return StageCost(spec.name, spec.cadence, runs, tuple(parts))


def _counter(name: str, counted: Dict[str, int]) -> Any:
    def count(module: nn.Module, inputs: Tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, LAYERS):
            # A row of the weight is what one output element multiplies.
            adds = output.numel() * module.weight[0].numel()
        elif isinstance(module, TRANSPOSED):
            # And here what one input element is multiplied with.
            adds = inputs[0].numel() * module.weight[0].numel()
        else:
            adds = module.activation_products(*inputs)  # type: ignore[operator]  # torch types what it does not know as a Tensor
        counted[name] = counted.get(name, 0) + int(adds)

    return count
