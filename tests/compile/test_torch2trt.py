"""Engines by torch2trt, with a stand-in for it that runs what it is given, and real TensorRT classes behind it."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Callable, Dict, List

import pytest
import torch

from edgecvar.bundle.engines import check_engines, read_engine, why_build
from edgecvar.bundle.manifest import Bundle, Manifest, open_bundle, write_manifest
from edgecvar.clips.spec import InputSpec
from edgecvar.compile import torch2trt as converter
from edgecvar.compile.subject import find_subject
from edgecvar.errors import CompileError, ConfigError
from edgecvar.files import sha256_of
from tests.contracts.bindings import why_not
from tests.contracts.fake_tensorrt import FakeTensorRt

pytestmark = pytest.mark.train


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    return pretend(monkeypatch, "8.6.1")


def pretend(monkeypatch: pytest.MonkeyPatch, version: str) -> FakeTensorRt:
    """TensorRT of that version, on an Orin."""
    reason = why_not(version)
    if reason is not None:
        pytest.skip(reason)
    fake = FakeTensorRt(version)
    monkeypatch.setitem(sys.modules, "tensorrt", fake.module)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    orin = SimpleNamespace(name="Orin", major=8, minor=7, multi_processor_count=8)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: orin)
    monkeypatch.setattr(converter, "DEVICE", "cpu")
    return fake


class StandIn:
    """torch2trt: runs the module as the real one does to trace it; `calls` keeps what it was given."""

    def __init__(self, make_engine: Callable[[], Any]) -> None:
        self.calls: List[Dict[str, Any]] = []
        self.make_engine = make_engine

    def convert(self, module: torch.nn.Module, inputs: List[torch.Tensor], **options: Any) -> Any:
        assert not module.training and not torch.is_grad_enabled()
        self.calls.append({"inputs": inputs, "output": module(*inputs), **options})
        return SimpleNamespace(engine=self.make_engine())


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tensorrt: FakeTensorRt) -> StandIn:
    made = StandIn(lambda: tensorrt.make("ICudaEngine"))
    install(monkeypatch, made)
    return made


def install(monkeypatch: pytest.MonkeyPatch, made: StandIn) -> None:
    module = ModuleType("torch2trt")
    module.__spec__ = ModuleSpec("torch2trt", None)
    vars(module)["torch2trt"] = made.convert
    monkeypatch.setitem(sys.modules, "torch2trt", module)


@pytest.fixture
def network(configure: Callable[..., Any]) -> Any:
    return find_subject(configure()).network.eval()


@pytest.fixture
def bundle(network: Any, tmp_path: Path) -> Bundle:
    """A bundle of the network's stages, whose ONNX files nobody reads here."""
    root = tmp_path / "tiny.edgecvar"
    (root / "onnx").mkdir(parents=True)
    files = []
    for stage in network.stages():
        for precision in ("fp32", "fp16"):
            path = f"onnx/{stage.name}.{precision}.onnx"
            (root / path).write_text(path)
            files.append({"stage": stage.name, "precision": precision, "path": path, "max_difference": 0.0})
    fields = {
        "labels": ["left", "right", "still"],
        "input": InputSpec(height=48, width=64, stride=4, crop=1.0),
        "stages": network.stages(),
        "files": files,
        "provenance": {"model": "attp", "untrained": True},
    }
    write_manifest(root, Manifest.model_validate(fields))
    return open_bundle(root)


def test_without_torch2trt_it_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch2trt", None)
    with pytest.raises(CompileError, match=r"torch2trt is not installed.*github\.com/NVIDIA-AI-IOT/torch2trt"):
        converter.engine_key("fp16")


def test_int8_is_refused(stand_in: StandIn) -> None:
    with pytest.raises(ConfigError, match="ask for --precision fp16"):
        converter.engine_key("int8")


def test_tensorrt_11_is_refused(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "11.4.0")
    with pytest.raises(CompileError, match=r"needs TensorRT below 11, and this is 11\.4"):
        converter.engine_key("fp16")


def test_without_a_device_it_is_refused(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CompileError, match="sees no CUDA device"):
        converter.engine_key("fp16")


def test_engines_are_kept_in_the_bundle(
    stand_in: StandIn, tensorrt: FakeTensorRt, network: Any, bundle: Bundle
) -> None:
    tensorrt.answers["ICudaEngine.serialize"] = lambda this: b"engine %d" % len(stand_in.calls)
    steps: List[str] = []
    folder = converter.convert_stages(network, bundle, "fp32", 2, lambda done, total, what: steps.append(what))
    stages = bundle.manifest.stages
    assert folder == bundle.path / "engines" / "sm87-8.6.1-fp32-torch2trt"
    assert steps == [f"torch2trt {stage.name}" for stage in stages]
    key = converter.engine_key("fp32")
    hashes = {stage.name: sha256_of(bundle.stage_file(stage.name, "fp32")) for stage in stages}
    assert why_build(bundle.path, key, hashes, max_batch=2) is None
    assert [read_engine(bundle.path, key, stage.name, hashes[stage.name])[1] for stage in stages] == [
        b"engine %d" % number for number, _ in enumerate(stages, 1)
    ]
    check_engines(bundle.path)


def test_it_is_asked_for_the_stages_as_the_bundle_has_them(stand_in: StandIn, network: Any, bundle: Bundle) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    converter.convert_stages(network, bundle, "fp32", max_batch=2)
    for spec, call in zip(bundle.manifest.stages, stand_in.calls):
        assert call["input_names"] == [tensor.name for tensor in spec.inputs]
        assert call["output_names"] == [spec.name]
        assert [tuple(each.shape) for each in call["inputs"]] == [(2, *tensor.shape) for tensor in spec.inputs]
        assert all(each.dtype == torch.float32 for each in call["inputs"])
        assert tuple(call["output"].shape) == (2, *spec.output_shape)
        assert (call["fp16_mode"], call["max_batch_size"]) == (False, 2)
    assert len(stand_in.calls) == len(bundle.manifest.stages)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_fp16_is_its_own_mode(stand_in: StandIn, network: Any, bundle: Bundle) -> None:
    folder = converter.convert_stages(network, bundle, "fp16")
    assert folder.name == "sm87-8.6.1-fp16-torch2trt"
    assert [(call["fp16_mode"], call["max_batch_size"]) for call in stand_in.calls] == [(True, 1)] * len(stand_in.calls)


@pytest.mark.parametrize("number", [1, 2])
def test_a_stage_that_cannot_be_converted_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tensorrt: FakeTensorRt, network: Any, bundle: Bundle, number: int
) -> None:
    def make() -> Any:
        if len(made.calls) == number:
            raise AttributeError("'Tensor' object has no attribute '_trt'")
        return tensorrt.make("ICudaEngine")

    made = StandIn(make)
    install(monkeypatch, made)
    tensorrt.answers["ICudaEngine.serialize"] = b"an engine"
    name = bundle.manifest.stages[number - 1].name
    with pytest.raises(CompileError, match=f"stage {name}: torch2trt cannot convert it with TensorRT 8.6.1.*_trt"):
        converter.convert_stages(network, bundle, "fp32")
    assert not (bundle.path / "engines").exists()


def test_no_engine_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tensorrt: FakeTensorRt, network: Any, bundle: Bundle
) -> None:
    install(monkeypatch, StandIn(lambda: None))
    with pytest.raises(CompileError, match="built no engine"):
        converter.convert_stages(network, bundle, "fp32")
    assert not (bundle.path / "engines").exists()
