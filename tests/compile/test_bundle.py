"""A bundle from a network: its files, what its manifest says, and that a failure leaves nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import numpy as np
import onnx
import pytest
import torch

from edgecvar.bundle.difference import difference
from edgecvar.bundle.manifest import Manifest, open_bundle, sha256_of
from edgecvar.bundle.plan import plan_stages
from edgecvar.clips.clock import NoClock
from edgecvar.compile import bundle as bundle_module
from edgecvar.compile.bundle import Compiled, compile_bundle
from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.onnx.export import export_stage
from edgecvar.compile.plan import plan_compilation
from edgecvar.compile.subject import settle_norms
from edgecvar.errors import BundleError, CompileError
from edgecvar.run.walk import StageWalk
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.train.checkpoint import Checkpoint, save_checkpoint
from tests.compile.checkpoints import INPUT, saved_checkpoint

Configure = Callable[..., Any]


def staged_and_whole(config: Any, bundle: Any) -> Tuple[Any, Any]:
    """Scores of the bundle's ONNX stages, walked like a run, and of the network's `forward` in torch."""
    plan = plan_compilation(config)
    subject = plan.subject
    inputs = read_inputs(plan.clips, subject)
    if subject.untrained:
        settle_norms(subject.network, inputs.batch())
    with OnnxRunner(bundle, threads=1) as runner:
        walk = StageWalk(plan_stages(bundle.manifest.stages), runner, NoClock())
        staged = [walk.scores(walk.finish(walk.start(sample), sample.neighbour)) for sample in inputs.samples]
    with torch.no_grad():
        whole = subject.network(inputs.batch()).numpy()
    return np.stack(staged), whole


def test_the_manifest_says_what_the_bundle_is(compiled: Compiled, clip: Path) -> None:
    manifest = open_bundle(compiled.bundle.path).manifest
    assert manifest == compiled.bundle.manifest
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert [stage.name for stage in manifest.stages] == ["appearance", "motion", "residual", "fuse"]
    assert [file.path for file in manifest.files] == [
        f"onnx/{stage.name}.{precision}.onnx" for precision in ("fp32", "fp16") for stage in manifest.stages
    ]
    assert compiled.bundle.precisions == ["fp32", "fp16"]
    assert set(manifest.sha256) == {file.path for file in manifest.files}
    assert manifest.labels == ["untrained 0", "untrained 1", "untrained 2"]
    assert manifest.input == INPUT
    origin = manifest.provenance
    assert (origin.model, origin.untrained, origin.checkpoint_sha256) == ("attp", True, None)
    assert origin.tools["torch"] == torch.__version__
    assert compiled.clips == [clip]


def test_differences_are_measured_and_kept(compiled: Compiled) -> None:
    for file, stage in zip(compiled.bundle.manifest.files, compiled.stages):
        assert file.max_difference == stage.check.max_difference
        assert 0 < stage.check.max_difference < (1e-4 if stage.precision == "fp32" else 5e-2) * stage.check.scale
        assert stage.check.scale > 0.01
        assert stage.size_bytes == (compiled.bundle.path / file.path).stat().st_size
    samples = {stage.check.stage: stage.check.samples for stage in compiled.stages}
    assert samples == {"appearance": 3, "motion": 8, "residual": 8, "fuse": 8}
    assert [stage.precision for stage in compiled.stages] == ["fp32"] * 4 + ["fp16"] * 4
    assert compiled.size_bytes("fp16") < compiled.size_bytes("fp32")


def test_files_are_what_old_runtimes_read(compiled: Compiled) -> None:
    for spec in compiled.bundle.manifest.stages:
        path = compiled.bundle.stage_file(spec.name)
        model = onnx.load(str(path))
        assert model.ir_version <= 8
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 13)]  # TensorRT 8.2
        for value, shape in zip(model.graph.input, [tensor.shape for tensor in spec.inputs]):
            dimensions = value.type.tensor_type.shape.dim
            assert dimensions[0].dim_param == "batch"
            assert [dimension.dim_value for dimension in dimensions[1:]] == shape
        assert [value.name for value in model.graph.input] == [tensor.name for tensor in spec.inputs]
        assert [value.name for value in model.graph.output] == [spec.name]
        assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
        assert not any(tensor.external_data for tensor in model.graph.initializer)
        content = path.read_bytes()
        assert str(Path(bundle_module.__file__).parents[2]).encode() not in content  # no path of this machine
    assert sum(1 for file in compiled.bundle.path.rglob("*") if file.is_file()) == 9


def test_staged_onnx_agrees_with_the_whole_network(configure: Configure, compiled: Compiled) -> None:
    staged, whole = staged_and_whole(configure(), compiled.bundle)
    assert np.abs(staged - whole).max() < 1e-4
    assert np.ptp(whole, axis=0).max() > 0.01  # the samples differ, so agreement is no accident


@pytest.mark.parametrize(
    "network",
    # As wide as the two factors of `configure` are together: its branches are then those of `compiled`, exported once.
    [{"fusion": "mv"}, {"fusion": "late"}, {"fusion": "bp", "dim": 16}, {"fusion": "tp"}],
    ids=lambda network: network["fusion"],
)
def test_ablations_compile(configure: Configure, tmp_path: Path, network: Dict[str, Any]) -> None:
    config = configure(network, output=tmp_path / "ablation.edgecvar")
    staged, whole = staged_and_whole(config, compile_bundle(plan_compilation(config)).bundle)
    assert np.abs(staged - whole).max() < 1e-4


def tampered_export(stage: str) -> Callable[..., None]:
    """An export that gets one tensor of one stage wrong by a hundredth."""
    export_rightly = bundle_module.export_stage

    def export(module: Any, spec: Any, path: Path) -> None:
        export_rightly(module, spec, path)
        if spec.name == stage:
            model = onnx.load(str(path))
            weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
            values = onnx.numpy_helper.to_array(weight).copy()
            values *= 1.01
            weight.raw_data = values.tobytes()
            onnx.save(model, str(path))

    return export


@pytest.mark.parametrize("stage", ["residual", "fuse"])
def test_a_stage_that_differs_leaves_nothing(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(bundle_module, "export_stage", tampered_export(stage))
    with pytest.raises(CompileError, match=f"stage {stage}: .* differs from torch by"):
        compile_bundle(plan_compilation(configure(output=tmp_path / "new.edgecvar")))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_bundle_that_was_there(
    configure: Configure, compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "old.edgecvar"
    shutil.copytree(compiled.bundle.path, target)
    before = open_bundle(target).manifest
    monkeypatch.setattr(bundle_module, "export_stage", tampered_export("motion"))
    with pytest.raises(CompileError):
        compile_bundle(plan_compilation(configure(output=target)))
    assert open_bundle(target).manifest == before
    assert list(tmp_path.iterdir()) == [target]


def test_a_bundle_is_replaced_whole(configure: Configure, tmp_path: Path, compiled: Compiled) -> None:
    target = tmp_path / "old.edgecvar"
    shutil.copytree(compiled.bundle.path, target)
    (target / "left over").write_text("from before")
    again = compile_bundle(plan_compilation(configure({"fusion": "mv"}, output=target)))
    assert [stage.name for stage in again.bundle.manifest.stages] == ["motion", "fuse"]
    assert sorted(file.name for file in target.rglob("*") if file.is_file()) == [
        "fuse.fp16.onnx",
        "fuse.fp32.onnx",
        "manifest.json",
        "motion.fp16.onnx",
        "motion.fp32.onnx",
    ]
    assert list(tmp_path.iterdir()) == [target]


def test_what_is_no_bundle_is_left_alone(configure: Configure, tmp_path: Path) -> None:
    folder = tmp_path / "mine.edgecvar"
    folder.mkdir()
    (folder / "notes.txt").write_text("keep")
    with pytest.raises(CompileError, match="no bundle, so it is left alone"):
        compile_bundle(plan_compilation(configure(output=folder)))
    assert (folder / "notes.txt").read_text() == "keep"
    with pytest.raises(CompileError, match=r"ends in \.edgecvar"):
        compile_bundle(plan_compilation(configure(output=tmp_path / "mine")))


def test_a_changed_file_is_refused(compiled: Compiled, tmp_path: Path) -> None:
    copy = tmp_path / "copy.edgecvar"
    shutil.copytree(compiled.bundle.path, copy)
    file = copy / "onnx" / "motion.fp32.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match="changed since it was compiled"):
        open_bundle(copy)


def test_the_same_network_gives_the_same_file(configure: Configure, compiled: Compiled, tmp_path: Path) -> None:
    plan = plan_compilation(configure())
    subject = plan.subject
    settle_norms(subject.network, read_inputs(plan.clips, subject).batch())
    spec = subject.network.stages()[-1]
    export_stage(subject.network.stage(spec.name), spec, tmp_path / "again.onnx")
    assert sha256_of(tmp_path / "again.onnx") == sha256_of(compiled.bundle.stage_file(spec.name))


def test_another_classifier_changes_its_stage_and_the_manifest_alone(configure: Configure, tmp_path: Path) -> None:
    """What an update of a device has to carry: bytes do not depend on when, where or how often they are written."""
    vectors = {"fusion": "mv"}
    subject = plan_compilation(configure(vectors, output=tmp_path / "unused.edgecvar")).subject
    made: Dict[str, Any] = {}
    for name in ("first", "again", "other"):
        if name == "other":
            with torch.no_grad():
                subject.network.state_dict()["fuse.heads.motion.weight"].mul_(1.5)
        trained = Checkpoint(
            model="attp",
            network=configure(vectors).network,
            input=INPUT,
            labels=list("abc"),
            state=subject.network.state_dict(),
            recipe="model: attp\n",
            data="nowhere",
        )
        (tmp_path / name).mkdir()
        save_checkpoint(tmp_path / name / "best.pt", trained)
        config = configure(
            untrained=False, checkpoint=tmp_path / name / "best.pt", output=tmp_path / f"{name}.edgecvar"
        )
        made[name] = compile_bundle(plan_compilation(config)).bundle
    same, found = difference(made["first"], made["again"]), difference(made["first"], made["other"])
    assert {each.change for each in same.files} == {"same"}
    changed = [each for each in found.files if each.change != "same"]
    assert [each.path for each in changed] == ["onnx/fuse.fp16.onnx", "onnx/fuse.fp32.onnx"]
    assert found.rebuilt == ("fuse",)
    beside = (made["other"].path / "manifest.json").stat().st_size
    # Its layers are fp32 in both precisions, so that both files have the same bytes, which are sent once.
    assert len({sha256_of(made["other"].path / each.path) for each in changed}) == 1
    assert found.update_bytes == beside + (changed[0].bytes_after or 0) < found.whole_bytes / 2


def test_a_run_compiles_with_its_own_clips(clip: Path, configure: Configure, tmp_path: Path) -> None:
    for label in ("left", "right"):
        (tmp_path / "data" / label).mkdir(parents=True)
        shutil.copy(clip, tmp_path / "data" / label / "clip.mp4")
    old = saved_checkpoint(tmp_path / "runs" / "attp" / "20250101-000000" / "best.pt", tmp_path / "nowhere")
    newest = saved_checkpoint(tmp_path / "runs" / "attp" / "20250102-000000" / "best.pt", tmp_path / "data")
    trained = {"untrained": False, "data": None, "runs": tmp_path / "runs", "output": tmp_path / "run.edgecvar"}
    config = configure(**trained)
    done = compile_bundle(plan_compilation(config))
    assert done.bundle.manifest.labels == ["left", "right"]
    assert done.clips == [tmp_path / "data" / label / "clip.mp4" for label in ("left", "right")]
    origin = done.bundle.manifest.provenance
    assert not origin.untrained
    assert origin.checkpoint_sha256 == sha256_of(newest) != sha256_of(old)
    assert origin.recipe == f"model: attp\ndata: {tmp_path / 'data'}\n"
    staged, whole = staged_and_whole(config, done.bundle)
    assert np.abs(staged - whole).max() < 1e-4
