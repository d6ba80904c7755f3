"""What a runner refuses, and what TensorRT and CUDA refuse it: one line each, and nothing left behind."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from edgecvar.errors import BundleError, DeviceError
from tests.contracts.fake_tensorrt import RECORDED
from tests.runners.tensorrt.recorded_cuda import Error, MemoryError_
from tests.runners.tensorrt.running import failing, prepared, runner_of


@pytest.mark.parametrize(
    ("answer", "bindings", "message"),
    [
        ("Runtime.deserialize_cuda_engine", "", "cannot load it"),
        ("ICudaEngine.create_execution_context", "", "cannot be run"),
        ("IExecutionContext.set_input_shape", "IExecutionContext.set_binding_shape", "does not take input"),
        ("IExecutionContext.execute_async_v3", "IExecutionContext.execute_async_v2", "was not run"),
    ],
)
def test_what_tensorrt_refuses_is_one_error(played, answer, bindings, message):
    recorded = played.fake.surface.version == RECORDED
    name = bindings if recorded and bindings else answer
    played.fake.answers[name] = lambda *arguments, **named: False if bindings else None
    error = failing(played, DeviceError)
    assert message in error and "appearance.engine" in error and "run again" in error


def test_an_address_that_tensorrt_refuses_is_one_error(played):
    if played.fake.surface.version != RECORDED:
        played.fake.answers["IExecutionContext.set_tensor_address"] = False
        assert "does not take the addresses" in failing(played, DeviceError)


@pytest.mark.parametrize(
    ("call", "message"),
    [("Stream", "loading"), ("htod", "stage appearance"), ("dtod", "stage appearance"), ("synchronize", "stage")],
)
@pytest.mark.parametrize("kind", [Error, MemoryError_])
def test_what_cuda_refuses_is_one_error(played, call, message, kind):
    with runner_of(played):
        pass
    played.cuda.fail[call] = kind("cuSomething failed: an illegal memory access was encountered")
    error = failing(played, DeviceError)
    assert message in error and ("out of device memory" in error) == (kind is MemoryError_)


def test_memory_that_runs_out_half_way_is_given_back(played):
    with runner_of(played):
        pass
    given = iter(range(7))
    note = played.cuda.note

    def limited(name, *details):
        if name == "mem_alloc" and next(given, None) is None:
            raise MemoryError_("cuMemAlloc failed: out of memory")
        note(name, *details)

    played.cuda.note = limited
    assert "out of device memory" in failing(played, DeviceError)


def test_a_changed_engine_is_never_deserialised(played):
    with runner_of(played):
        pass
    played.fake.calls.clear()
    engine = played.bundle.path / "engines" / f"{played.key}-fp16" / "motion.engine"
    engine.write_bytes(b"appearance")
    assert "motion.engine: changed since" in failing(played, BundleError)
    assert b"appearance" not in [call.arguments[0] for call in played.fake.of("Runtime.deserialize_cuda_engine")[1:]]


def test_an_engine_of_other_tensors_is_refused(played):
    with runner_of(played):
        pass
    deserialise = played.fake.answers["Runtime.deserialize_cuda_engine"]
    for tensors, message in [
        ([("motion", [2], False), ("flow", [2, 32, 32], True)], "inputs flow, but the manifest says image"),
        ([("motion", [3], False), ("image", [3, 16, 32], True)], "image is [-1, 3, 16, 32] of float32"),
        ([("motion", [4], False), ("image", [3, 32, 32], True)], "motion is [-1, 4]"),
        ([("a", [3], False), ("b", [3], False), ("image", [3, 32, 32], True)], "outputs a, b, expected appearance"),
    ]:
        played.fake.answers["Runtime.deserialize_cuda_engine"] = lambda this, plan, of=tensors: played.tag(
            deserialise(this, plan), tensors=of
        )
        assert message in failing(played, BundleError)


def test_inputs_that_are_not_the_stages_are_refused(played):
    inputs = prepared(0, 2)
    with runner_of(played) as runner:
        for given, message in [
            ({"motion": inputs["motion"][:1]}, "inputs motion, expected image"),
            ({"image": inputs["motion"][:1]}, "input image is float32 (1, 2, 32, 32)"),
            ({"image": inputs["image"][:1].astype(np.float64)}, "input image is float64"),
            ({"image": inputs["image"]}, "2 at once, expected one batch of 1 to 1"),
            ({"image": runner.launch("motion", {"motion": inputs["motion"][:1]})}, "the output of motion"),
        ]:
            with pytest.raises(BundleError) as caught:
                runner.launch("appearance", given)
            assert message in str(caught.value)


def test_a_runner_that_was_left_says_so(played):
    runner = runner_of(played)
    with pytest.raises(DeviceError, match="outside its `with` block"):
        runner.launch("motion", {})
    with runner:
        value = runner.launch("motion", {"motion": prepared(0)["motion"]})
    with pytest.raises(DeviceError, match="outside its `with` block"):
        runner.fetch(value)


def test_an_error_in_the_block_is_the_one_that_is_seen(played):
    with pytest.raises(ZeroDivisionError), runner_of(played):
        played.cuda.fail["synchronize"] = Error("cuStreamSynchronize failed: unspecified launch failure")
        raise ZeroDivisionError


@pytest.mark.parametrize(("package", "hint"), [("tensorrt", "JetPack"), ("pycuda.driver", "pip install")])
def test_a_package_that_is_missing_is_named(played, monkeypatch, package, hint):
    monkeypatch.setitem(sys.modules, package, None)
    error = failing(played, DeviceError)
    assert package.split(".")[0].lower() in error.lower() and hint in error


def test_a_runtime_that_does_not_start(played):
    with runner_of(played):
        pass

    def refuse(*arguments):
        raise TypeError("factory function returned nullptr")

    played.fake.answers["Runtime"] = refuse
    assert "cannot start" in failing(played, DeviceError)


@pytest.mark.parametrize("version", ["7.1.3", "8.2.0.6"])
def test_a_version_that_is_too_old(played, monkeypatch, version):
    monkeypatch.setattr(played.fake.module, "__version__", version)
    assert f"{version} is too old" in failing(played, DeviceError)


def test_engines_of_torch2trt_are_not_built_by_running(played):
    assert "--converter torch2trt" in failing(played, BundleError, converter="torch2trt")


def test_engines_that_came_with_a_trusted_bundle_are_built_anew(played, tmp_path, monkeypatch):
    """They are code, and no signature covers them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    with runner_of(played):
        pass
    built = played.fake.names.count("Builder.build_serialized_network")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "me"))
    with runner_of(played):
        pass
    assert played.fake.names.count("Builder.build_serialized_network") == built
    played.bundle = replace(played.bundle, signed_by="A KEY")
    for _ in range(2):  # the second time they are this user's own
        with runner_of(played):
            pass
        assert played.fake.names.count("Builder.build_serialized_network") == 2 * built


def test_a_trusted_bundle_is_not_built_where_that_cannot_be_noted(played, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    played.bundle = replace(played.bundle, signed_by="A KEY")
    assert "noted there which engines were built here" in failing(played, BundleError)
    assert "Builder.build_serialized_network" not in played.fake.names
