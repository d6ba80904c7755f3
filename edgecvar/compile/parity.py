"""Each ONNX stage against torch, on real prepared inputs, before a bundle is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

import numpy as np

from edgecvar.bundle.precision import Precision
from edgecvar.bundle.stages import StageSpec
from edgecvar.compile.inputs import RealInputs
from edgecvar.errors import BundleError, CompileError
from edgecvar.judge.comparison import TOLERANCES, compare_stages
from edgecvar.judge.parity import Recording, record
from edgecvar.nets.network import Network
from edgecvar.runners.runner import Runner, run_stage
from edgecvar.runners.torch import TorchRunner

_VERSIONS = "Try the versions in constraints.txt, and tell us if it stays"
_REMEDY: Dict[Precision, str] = {
    "fp32": _VERSIONS,
    "fp16": _VERSIONS,
    "int8": "Calibrate on more clips (--data), ask for a smaller --max-drop, or leave int8 out (--precision fp32,fp16)",
}


@dataclass(frozen=True)
class StageCheck:
    """One stage compared: largest absolute difference, and torch's largest absolute output on the same inputs."""

    stage: str
    max_difference: float
    scale: float
    samples: int


def record_stages(network: Network, inputs: RealInputs) -> Recording:
    """Walk the network's stages in torch over all samples, as the recognizer does, each fed by those before it."""
    with TorchRunner(network) as runner:
        return record(runner, network.stages(), inputs.samples)


def check_stage(
    spec: StageSpec, recorded: Recording, runner: Runner, precision: Precision = "fp32", batch: int = 1
) -> StageCheck:
    """Compare one stage of `runner` with torch, sample by sample and `batch` of them at once; raises CompileError."""
    inputs, expected = list(recorded.inputs[spec.name]), list(recorded.outputs[spec.name])
    if batch > 1:
        places = [place % len(inputs) for place in range(batch)]
        inputs.append({name: np.concatenate([inputs[place][name] for place in places]) for name in inputs[0]})
        expected.append(np.concatenate([expected[place] for place in places]))
    outputs = [run_stage(runner, spec.name, each) for each in inputs]
    where = f"stage {spec.name}: {runner.name}"
    try:
        comparison = compare_stages(where, outputs, expected, recorded.widths.get(spec.name))
    except BundleError as error:
        raise CompileError(str(error)) from error
    passed = comparison.exceeds(TOLERANCES[precision])
    if passed:
        raise CompileError(
            f"{where} differs from torch by {comparison.max_difference:.3g} where the largest output is "
            f"{comparison.scale:.3g}: {'; '.join(passed)}. Nothing was written. {_REMEDY[precision]}"
        )
    return StageCheck(spec.name, comparison.max_difference, comparison.scale, len(recorded.inputs[spec.name]))
