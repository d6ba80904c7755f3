"""Each stage against torch: what is recorded, how far a stage may be away, and what is said of one that is farther."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping

import numpy as np
import pytest

from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.parity import check_stage, record_stages
from edgecvar.compile.plan import plan_compilation
from edgecvar.compile.subject import settle_norms
from edgecvar.errors import CompileError
from edgecvar.judge.parity import Recording
from edgecvar.runners.torch import TorchRunner

Configure = Callable[..., Any]


class Skewed:
    """A runner that adds `error` to a network's outputs, or only to batches of several."""

    name = "skewed"

    def __init__(self, network: Any, error: float, batches_only: bool = False) -> None:
        self._torch, self._error, self._batches_only = TorchRunner(network), error, batches_only

    def __enter__(self) -> Skewed:
        self._torch.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._torch.__exit__(*exc)

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        output = self._torch.launch(stage, inputs)
        spared = self._batches_only and len(output) == 1
        return output if spared else output + np.float32(self._error)

    def fetch(self, value: Any) -> Any:
        return value


@pytest.fixture(scope="module")
def recorded(configure: Configure) -> Dict[str, Any]:
    plan = plan_compilation(configure())
    subject = plan.subject
    inputs = read_inputs(plan.clips, subject)
    settle_norms(subject.network, inputs.batch())
    return {"network": subject.network, "runner": record_stages(subject.network, inputs)}


def test_recorded_inputs_chain_from_stage_to_stage(recorded: Dict[str, Any]) -> None:
    runner: Recording = recorded["runner"]
    fused, moved = runner.inputs["fuse"], runner.outputs["motion"]
    assert len(fused) == len(moved) == 8
    assert all(np.array_equal(inputs["motion"], output) for inputs, output in zip(fused, moved))
    assert len(runner.outputs["appearance"]) == 3  # once a window


def test_parity_is_relative_to_the_largest_output(recorded: Dict[str, Any]) -> None:
    network = recorded["network"]
    spec = network.stages()[1]
    scale = max(float(np.abs(output).max()) for output in recorded["runner"].outputs[spec.name])
    with Skewed(network, 0.5e-4 * scale) as close:
        check = check_stage(spec, recorded["runner"], close)
    assert check.max_difference == pytest.approx(0.5e-4 * scale, rel=0.2)
    assert check.scale == pytest.approx(scale)
    with Skewed(network, 2e-4 * scale) as far, pytest.raises(CompileError, match="stage motion: skewed differs"):
        check_stage(spec, recorded["runner"], far)
    with Skewed(network, float("nan")) as broken, pytest.raises(CompileError, match="by nan"):
        check_stage(spec, recorded["runner"], broken)


def test_int8_that_is_too_far_away_is_not_the_fault_of_versions(recorded: Dict[str, Any]) -> None:
    network = recorded["network"]
    spec = network.stages()[1]
    with Skewed(network, 1e3) as far, pytest.raises(CompileError, match="ask for a smaller --max-drop, or leave int8"):
        check_stage(spec, recorded["runner"], far, "int8")


@pytest.mark.parametrize("batch", [2, 12])  # of 8 samples
def test_parity_looks_at_batches_too(recorded: Dict[str, Any], batch: int) -> None:
    network = recorded["network"]
    with Skewed(network, 1.0, batches_only=True) as runner:
        assert check_stage(network.stages()[1], recorded["runner"], runner).samples == 8
        with pytest.raises(CompileError):
            check_stage(network.stages()[1], recorded["runner"], runner, batch=batch)
