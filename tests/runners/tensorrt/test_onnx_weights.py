"""Stored int8 weights rewritten for TensorRT: the same values, no int8 constant but zero points, no cast of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Set

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the train extra")

from onnx import helper, numpy_helper  # noqa: E402

from edgecvar.compile.int8 import layers  # noqa: E402
from edgecvar.compile.int8.quantize import Quantizer  # noqa: E402
from edgecvar.compile.int8.sample_walk import open_session  # noqa: E402
from edgecvar.runners.onnx_nodes import read_nodes  # noqa: E402
from edgecvar.runners.tensorrt.onnx_weights import plain_weights  # noqa: E402
from tests.compile.chains import chain  # noqa: E402

pytestmark = pytest.mark.train

RANGES = {"picture": 4.0, "seen": 6.0}


def run(model: bytes, x: Any) -> Any:
    return open_session(model, "look", 1).run(None, {"picture": x})[0]


@pytest.mark.parametrize("keep", [set(), {"first"}, {"first", "second"}])
def test_the_values_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: Set[str]) -> None:
    monkeypatch.setattr(layers, "MANY", 1)
    _, files, _ = chain(tmp_path)
    stored = Quantizer(onnx.load(str(files["look"]))).write(RANGES, keep).SerializeToString()
    plain = onnx.load_from_string(plain_weights(stored))
    onnx.checker.check_model(plain, full_check=True)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in plain.graph.initializer}
    assert not any(value.any() for value in constants.values() if value.dtype == np.int8)
    for node in plain.graph.node:
        if node.op_type == "Cast":
            assert node.input[0] not in constants
        if node.op_type == "Conv":
            made = {each.output[0]: each for each in plain.graph.node}.get(node.input[1])
            assert constants[node.input[1]].dtype == np.float16 if node.name in keep else made is not None
    quantised = [node for node in plain.graph.node if node.op_type == "QuantizeLinear" and node.input[0] in constants]
    assert len(quantised) == 2 - len(keep)
    x = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype(np.float32)
    assert np.array_equal(run(plain.SerializeToString(), x), run(stored, x))


def test_a_file_without_int8_weights_comes_back_as_it_is(tmp_path: Path) -> None:
    _, files, _ = chain(tmp_path)
    stored = files["look"].read_bytes()
    assert plain_weights(stored) == stored


@pytest.mark.parametrize(("kind", "opset", "smallest"), [(np.float32, 13, -30), (np.float16, 19, -9.7)])
def test_every_level_of_every_scale_quantises_to_itself(kind: Any, opset: int, smallest: float) -> None:
    rng = np.random.default_rng(1)
    levels = np.tile(np.arange(-127, 128, dtype=np.int8), (500, 1))
    scale = np.exp(rng.uniform(smallest, 6, 500)).astype(kind)
    names = ["levels", "scale", "zeros", "one", "zero"]
    values = [levels, scale, np.zeros(500, np.int8), np.ones((), kind), np.zeros((), np.int8)]
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", names[:3], ["w"], axis=0),
            helper.make_node("QuantizeLinear", ["x", "one", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "one", "zero"], ["d"]),
            helper.make_node("Add", ["w", "d"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", element, [500, 255])],
        [helper.make_tensor_value_info("y", element, [500, 255])],
        [numpy_helper.from_array(value, name) for name, value in zip(names, values)],
    )
    opsets = [helper.make_opsetid("", opset)]
    stored = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    plain = plain_weights(stored)
    assert [node.operator for node in read_nodes(plain)].count("QuantizeLinear") == 2
    zeros = {"x": np.zeros((500, 255), kind)}
    got, expected = (open_session(model, "g", 1).run(None, zeros)[0] for model in (plain, stored))
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("damage", [b"\x3a\xff\x01", b"\x3b", b"\xff"])
def test_what_is_no_onnx_file_is_a_value_error(damage: bytes) -> None:
    with pytest.raises(ValueError):
        plain_weights(damage)
