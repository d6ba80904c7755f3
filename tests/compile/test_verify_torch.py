"""`edgecvar verify` with torch as the reference, found by its checkpoint's hash."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from edgecvar.bundle.manifest import MANIFEST, Manifest, write_manifest
from edgecvar.cli.verify import command
from edgecvar.compile.bundle import compile_bundle
from edgecvar.compile.config import CompileConfig
from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.plan import plan_compilation
from edgecvar.compile.subject import settle_norms
from edgecvar.train.checkpoint import Checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def folder(configure: Callable[..., Any], clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/attp/one/best.pt and the bundle that is compiled from it."""
    root = tmp_path_factory.mktemp("verify")
    config = configure()
    plan = plan_compilation(config)
    subject = plan.subject
    settle_norms(subject.network, read_inputs(plan.clips, subject).batch())
    checkpoint = root / "runs" / "attp" / "one" / "best.pt"
    checkpoint.parent.mkdir(parents=True)
    weights, labels = subject.network.state_dict(), ["a", "b", "c"]
    save_checkpoint(checkpoint, Checkpoint("attp", config.network, subject.input, labels, weights, recipe=""))
    output = root / "net.edgecvar"
    fp32 = CompileConfig(checkpoint=checkpoint, data=clip, output=output, precision=frozenset({"fp32"}))
    compile_bundle(plan_compilation(fp32))
    return root


def verify(*arguments: object) -> Any:
    result = CliRunner().invoke(command, [*map(str, arguments), "--json"], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)


def test_torch_is_the_reference_where_its_checkpoint_lies(
    folder: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    code, document = verify("net.edgecvar", "--data", clip, "--samples", 6, "--runners", "torch,onnx", "--threads", 1)
    assert (code, document["passed"], document["reference"]) == (0, True, "torch")
    (fp32,) = document["figures"]
    assert fp32["runner"] == "onnxruntime-cpu-fp32" and fp32["end_to_end"]["differing"] == 0
    assert 0 < max(stage["max_difference"] for stage in fp32["stages"]) < 1e-3


def test_a_stage_of_other_weights_fails_against_torch(
    folder: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    wrong = tmp_path / "wrong.edgecvar"
    shutil.copytree(folder / "net.edgecvar", wrong)
    file = wrong / "onnx" / "residual.fp32.onnx"
    model = onnx.load(str(file))
    weight = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.01), weight.name))
    onnx.save(model, str(file))
    write_manifest(wrong, Manifest.model_validate(json.loads((wrong / MANIFEST).read_text())))
    code, document = verify(wrong, "--data", clip, "--samples", 6, "--threads", 1)
    failures = document["figures"][0]["failures"]
    assert (code, document["passed"], document["reference"]) == (1, False, "torch")
    assert {failure.split(":")[0] for failure in failures} - {"end to end"} == {"stage residual"}
