"""Each ONNX stage against torch, on real prepared inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Mapping

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.stages import StageSpec
from edgecvar.compile.inputs import RealInputs
from edgecvar.errors import CompileError
from edgecvar.nets.network import Network
from edgecvar.run.clock import NoClock
from edgecvar.run.runner import Runner
from edgecvar.run.torch_runner import TorchRunner
from edgecvar.run.walk import StageWalk, plan_stages

Array = NDArray[np.float32]

TOLERANCE = 1e-4
"""Largest difference allowed, as a part of the stage's largest output.

Both engines sum the same fp32 products in another order: some 100 layers of that give 1e-6 to 1e-5, and a weight
or an operator that is wrong gives 1e-2 and more.
"""


@dataclass(frozen=True)
class StageCheck:
    """One stage compared: largest absolute difference, and torch's largest absolute output on the same inputs."""

    stage: str
    max_difference: float
    scale: float
    samples: int

    @property
    def agrees(self) -> bool:
        """False too when either engine gives NaN."""
        return self.scale > 0 and self.max_difference <= TOLERANCE * self.scale


@dataclass
class RecordingRunner:
    """Torch's stages, and what went through each of them."""

    torch: Runner
    name: str = "torch, recorded"
    inputs: Dict[str, List[Dict[str, Array]]] = field(default_factory=dict)
    outputs: Dict[str, List[Array]] = field(default_factory=dict)

    def __enter__(self) -> RecordingRunner:
        self.torch.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.torch.__exit__(*exc)

    def run(self, stage: str, inputs: Mapping[str, Array]) -> Array:
        output = self.torch.run(stage, inputs)
        self.inputs.setdefault(stage, []).append(dict(inputs))
        self.outputs.setdefault(stage, []).append(output)
        return output


def record_stages(network: Network, inputs: RealInputs) -> RecordingRunner:
    """Walk the network's stages in torch over all samples, as the recognizer does, each fed by those before it."""
    recorder = RecordingRunner(TorchRunner(network))
    walk = StageWalk(plan_stages(network.stages()), recorder, NoClock())
    with recorder:
        for sample, neighbour in inputs.samples:
            walk.finish(walk.start(sample), neighbour)
    return recorder


def check_stage(spec: StageSpec, recorded: RecordingRunner, runner: Runner) -> StageCheck:
    """Compare one stage of `runner` with torch, sample by sample and all as one batch; raises CompileError."""
    inputs, expected = recorded.inputs[spec.name], recorded.outputs[spec.name]
    together = {name: np.concatenate([sample[name] for sample in inputs]) for name in inputs[0]}
    pairs = [(runner.run(spec.name, sample), output) for sample, output in zip(inputs, expected)]
    pairs.append((runner.run(spec.name, together), np.concatenate(expected)))
    for got, output in pairs:
        if got.shape != output.shape:
            raise CompileError(f"stage {spec.name}: {runner.name} gives shape {got.shape}, torch {output.shape}")
    check = StageCheck(
        stage=spec.name,
        max_difference=float(max(np.abs(got - output).max() for got, output in pairs)),
        scale=float(np.abs(pairs[-1][1]).max()),
        samples=len(inputs),
    )
    if not check.agrees:
        raise CompileError(
            f"stage {spec.name}: {runner.name} differs from torch by {check.max_difference:.3g} where the largest "
            f"output is {check.scale:.3g} (allowed: {TOLERANCE:g} of it); nothing was written. Try the versions in "
            "constraints.txt, and tell us if it stays"
        )
    return check
