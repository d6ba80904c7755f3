"""Tensors inside a stage on TensorRT: which are marked, and what comes back of them, whatever their type."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import CompileError, DeviceError
from edgecvar.judge.layers import find_fault
from edgecvar.runners.layers import OnnxProbe
from edgecvar.runners.onnx_nodes import read_nodes
from edgecvar.runners.tensorrt.layers import TensorRtProbe
from edgecvar.runners.tensorrt.options import TensorRtOptions
from tests.runners.tensorrt.played_tensorrt import EACH_VERSION, PlayedTensorRt
from tests.tiny_bundle import steep_bundle

SHAPES = {"mean": (2,)}
FIELD = np.random.default_rng(0).normal(size=(1, 2, 32, 32)).astype(np.float32)
SAMPLES = [{"motion": FIELD}, {"motion": 4 * FIELD}]


class MarkedTensorRt(PlayedTensorRt):
    """The play with the layers of the file that is parsed, and engines whose every output is computed."""

    def __init__(self, version, bundle, monkeypatch):
        super().__init__(version, bundle, monkeypatch)
        self.probe = OnnxProbe(bundle, "fp16", threads=1)
        self.marked = []
        answers, enum = self.fake.answers, self.fake.module

        def parse(parser, model, path):
            self.nodes = read_nodes(Path(path).read_bytes())
            self.marked = []
            return True

        def wide(name):
            return name in ("wide", "mean", "motion")

        def layer(network, index):
            return self.tag(self.fake.make("ILayer"), node=self.nodes[index])

        def output(layer, index):
            return self.tag(self.fake.make("ITensor"), name=layer.played_node.outputs[index])

        def engine(runtime, plan):
            outputs = [(name, (2, 32, 32), False) for name in json.loads(bytes(plan))]
            tensors = [("mean", (2,), False), *outputs, ("motion", (2, 32, 32), True)]
            return self.tag(self.fake.make("ICudaEngine"), tensors=tensors, profiles=[{}])

        def type_of(this, which):
            name = which if isinstance(which, str) else this.played_tensors[which][0]
            return enum.DataType.FLOAT if wide(name) else enum.DataType.HALF

        def shape_of(context, which):
            tensors = context.played_engine.played_tensors
            name = which if isinstance(which, str) else tensors[which][0]
            shape = (1, *next(each[1] for each in tensors if each[0] == name))
            return shape if version == "8.2" else enum.Dims(shape)

        answers.update(
            {
                "OnnxParser.parse": parse,
                "INetworkDefinition.num_layers": lambda this: len(self.nodes),
                "INetworkDefinition.get_layer": layer,
                "INetworkDefinition.num_outputs": 1,
                "INetworkDefinition.get_output": lambda this, index: self.tag(self.fake.make("ITensor"), name="mean"),
                "INetworkDefinition.mark_output": lambda this, tensor: self.marked.append(tensor.played_name),
                "ILayer.name": lambda this: this.played_node.name,
                "ILayer.type": enum.LayerType.ACTIVATION,
                "ILayer.num_inputs": 0,
                "ILayer.num_outputs": 1,
                "ILayer.get_output": output,
                "ITensor.name": lambda this: this.played_name,
                "ITensor.dtype": lambda this: enum.DataType.FLOAT if wide(this.played_name) else enum.DataType.HALF,
                "Builder.build_serialized_network": lambda this, network, config: json.dumps(self.marked).encode(),
                "Runtime.deserialize_cuda_engine": engine,
                "ICudaEngine.get_tensor_dtype": type_of,
                "ICudaEngine.get_binding_dtype": type_of,
                "IExecutionContext.get_tensor_shape": shape_of,
                "IExecutionContext.get_binding_shape": shape_of,
            }
        )

    def _run(self, context, addresses, stream):
        names = [name for name, _, is_input in context.played_engine.played_tensors if not is_input]

        def compute():
            field = self.cuda.floats(addresses["motion"], (1, 2, 32, 32)).copy()
            with np.errstate(over="ignore"):
                (values,) = self.probe.run("motion", names, [{"motion": field}])
            for name, value in values.items():
                place = self.cuda.floats(addresses[name], (-(-value.nbytes // 4),)).view(value.dtype)
                np.copyto(place[: value.size], value.reshape(-1))

        return self.cuda.work(stream, [addresses["motion"]], [addresses[name] for name in names], compute)


@pytest.fixture(params=EACH_VERSION)
def played(request, tmp_path, monkeypatch):
    played = MarkedTensorRt(request.param, open_bundle(steep_bundle(tmp_path)), monkeypatch)
    yield played
    assert played.cuda.clocks.races == []
    assert played.cuda.alive["memory"] == played.cuda.current == 0
    assert not (played.bundle.path / "engines").exists()


def probe_of(played):
    return TensorRtProbe(played.bundle, TensorRtOptions(precision="fp16"))


def test_marked_tensors_come_back_in_their_own_type(played):
    found = list(probe_of(played).run("motion", ["large", "beyond", "mean"], SAMPLES))
    assert played.marked == ["large", "beyond"]
    for sample, tensors in zip(SAMPLES, found):
        assert {name: value.dtype for name, value in tensors.items()} == {
            "large": np.float16,
            "beyond": np.float16,
            "mean": np.float32,
        }
        with np.errstate(over="ignore"):
            assert np.allclose(tensors["large"], sample["motion"] * 300, rtol=2e-3)
        assert tensors["beyond"].shape == (1, 2, 32, 32) and np.isinf(tensors["beyond"]).any()
        assert np.allclose(tensors["mean"], sample["motion"].mean((2, 3)), atol=1e-3)


def test_what_was_folded_away_is_left_out(played):
    (tensors, _) = probe_of(played).run("motion", ["gone", "back"], SAMPLES)
    assert played.marked == ["back"] and set(tensors) == {"back"}


def test_the_layer_that_overflows_is_found(played):
    fp32 = OnnxProbe(played.bundle, "fp32", threads=1)
    fault = find_fault(played.bundle, "motion", "fp16", probe_of(played), fp32, SAMPLES, passed=False)
    assert (fault.layer, fault.operator) == ("beyond", "Mul") and "not finite in 2 of 2 samples" in fault.what
    assert played.marked == ["beyond"]  # alone, the last time


@pytest.mark.parametrize(
    ("answer", "value", "kind", "message"),
    [
        ("Builder.build_serialized_network", None, CompileError, "cannot build it"),
        ("Runtime.deserialize_cuda_engine", None, DeviceError, "cannot be loaded"),
        ("ICudaEngine.create_execution_context", None, DeviceError, "cannot be run"),
        ("IExecutionContext.set_input_shape", False, DeviceError, "does not take input motion"),
        ("IExecutionContext.execute_async_v3", False, DeviceError, "was not run"),
    ],
)
def test_what_tensorrt_refuses_is_one_error(played, answer, value, kind, message):
    old = {"set_input_shape": "set_binding_shape", "execute_async_v3": "execute_async_v2"}
    method = answer.split(".")[1]
    name = answer.replace(method, old.get(method, method)) if played.fake.surface.version == "8.2" else answer
    played.fake.answers[name] = value
    with pytest.raises(kind, match=message):
        list(probe_of(played).run("motion", ["large"], SAMPLES))
