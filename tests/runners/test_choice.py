"""Which runner and precision a choice comes to, and what is said where it cannot be had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecvar.bundle import devices
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import BundleError, ConfigError
from edgecvar.runners import choice as runners
from edgecvar.runners.choice import RunnerChoice, engine_precisions, make_runner, resolve
from edgecvar.runners.onnx import OnnxRunner, saturates
from tests.tiny_bundle import add_precision, tiny_bundle


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return open_bundle(tiny_bundle(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    root = tiny_bundle(tmp_path_factory.mktemp("full"))
    return open_bundle(add_precision(add_precision(root, "fp16"), "int8"))


@pytest.fixture
def tensorrt(monkeypatch):
    """TensorRT as if it were installed."""
    monkeypatch.setattr(runners, "missing_for_tensorrt", list)


@pytest.fixture
def no_tensorrt(monkeypatch):
    monkeypatch.setattr(runners, "find_spec", lambda name: None)


def test_auto_is_tensorrt_in_fp16_where_that_can_be(plain, full, tensorrt):
    assert resolve(full, RunnerChoice()) == ("trt", "fp16")
    assert resolve(plain, RunnerChoice()) == ("trt", "fp32")
    assert resolve(full, RunnerChoice(runner="onnx")) == ("onnx", "fp32")
    assert resolve(full, RunnerChoice(precision="int8")) == ("trt", "int8")


def test_auto_is_onnx_runtime_in_fp32_elsewhere(full, no_tensorrt):
    assert resolve(full, RunnerChoice()) == ("onnx", "fp32")
    runner = make_runner(full, RunnerChoice(precision="fp16", threads=3))
    assert isinstance(runner, OnnxRunner)
    assert (runner.name, runner.threads) == ("onnxruntime-cpu-fp16", 3)


def test_tensorrt_that_is_not_there_is_named(full, no_tensorrt):
    with pytest.raises(ConfigError, match="tensorrt and pycuda cannot be imported here"):
        make_runner(full, RunnerChoice(runner="trt"))


def test_a_precision_that_the_bundle_has_not_names_those_it_has(plain, no_tensorrt):
    with pytest.raises(BundleError, match=r"no int8 stages.* it has fp32\. .*edgecvar compile"):
        make_runner(plain, RunnerChoice(precision="int8"))


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"device": "tx2"}, "--device"),
        ({"dla": 0}, "--dla"),
        ({"converter": "torch2trt"}, "--converter"),
        ({"runner": "onnx", "dla": 1}, "--dla"),
    ],
)
def test_what_only_tensorrt_takes_is_refused_without_it(full, no_tensorrt, asked, message):
    with pytest.raises(ConfigError, match=f"{message}.*for TensorRT alone"):
        make_runner(full, RunnerChoice(**asked))


@pytest.mark.parametrize("runner", ["trt", "auto"])
def test_threads_are_refused_on_tensorrt(full, tensorrt, runner):
    with pytest.raises(ConfigError, match="--threads: for ONNX Runtime alone, and the runner here is TensorRT"):
        make_runner(full, RunnerChoice(runner=runner, threads=2))


def test_a_device_is_not_asked_for_what_it_has_not(full, tensorrt, monkeypatch):
    with pytest.raises(ConfigError, match=r"TX2.*no INT8 path.*fp16"):
        make_runner(full, RunnerChoice(precision="int8", device="tx2"))
    with pytest.raises(ConfigError, match="no DLA"):
        make_runner(full, RunnerChoice(dla=0, device="orin-nano"))
    with pytest.raises(ConfigError, match="did you mean 'tx2'"):
        make_runner(full, RunnerChoice(device="tx3"))
    monkeypatch.setattr(runners, "detect_device", lambda: devices.DEVICES["nano"])
    with pytest.raises(ConfigError, match="Nano"):
        make_runner(full, RunnerChoice(precision="int8"))


def test_engines_are_built_in_what_dla_and_converter_can():
    every = ["fp32", "fp16", "int8"]
    assert engine_precisions(every, None, "onnx") == every
    assert engine_precisions(every, None, "torch2trt") == ["fp32", "fp16"]
    assert engine_precisions(every, 0, "onnx") == ["fp16"]
    with pytest.raises(ConfigError, match="a DLA core computes in fp16, and there is only fp32"):
        engine_precisions(["fp32"], 0, "onnx")


@pytest.mark.parametrize("asked", [{"dla": 0}, {"precision": "int8"}])
def test_what_torch2trt_cannot_build_is_not_asked_of_it(full, tensorrt, asked):
    with pytest.raises(ConfigError, match="torch2trt builds"):
        make_runner(full, RunnerChoice(converter="torch2trt", device="agx-orin", **asked))


def test_engines_of_a_checkpoint_are_not_trusted_for_the_signed_files(full, tensorrt):
    choice = RunnerChoice(converter="torch2trt", device="agx-orin")
    with pytest.raises(ConfigError, match="made of a checkpoint"):
        make_runner(replace(full, signed_by="A1"), choice)
    assert make_runner(full, choice).options.converter == "torch2trt"


def test_options_reach_the_tensorrt_runner(full, tensorrt):
    runner = make_runner(full, RunnerChoice(precision="int8", dla=1, device="agx-orin", overlap=False))
    options = runner.options
    assert type(runner).__name__ == "TensorRtRunner"
    assert (options.precision, options.dla, options.overlap, options.converter) == ("int8", 1, False, "onnx")


def test_int8_kernels_are_used_where_they_do_not_saturate(tmp_path):
    (tmp_path / "new").write_text("flags : fpu avx2 avx512_vnni\n")
    (tmp_path / "old").write_text("flags : fpu avx2\n")
    assert not saturates("x86_64", tmp_path / "new")
    assert saturates("x86_64", tmp_path / "old") and saturates("AMD64", tmp_path / "none")
    assert not saturates("aarch64", tmp_path / "old")
