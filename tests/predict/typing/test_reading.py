"""What a file states of types, as onnx writes it."""

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.predict.typing.reading import read_stated
from tests.predict.typing.written import Call, written


def test_what_is_written_is_read():
    model = written([Call("y", "Cast", ["x"], to="fp16")], {"k": "int8"}, {"x": "fp32"}, "y")
    graph = read_stated(model)
    (node,) = graph.nodes
    assert (node.name, node.operator, node.inputs, node.outputs, node.states) == ("y", "Cast", ("x",), ("y",), "fp16")
    assert graph.types == {"x": "fp32", "k": "int8"} and graph.outputs == ("y",)


@pytest.mark.parametrize("broken", [b"", b"no model", b"\x3a\x05abc"])
def test_what_is_no_file_of_onnx_is_refused(broken):
    with pytest.raises(ValueError):
        read_stated(broken)


@pytest.mark.train
def test_constants_state_their_types_in_every_form():
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    helper, kinds = onnx.helper, onnx.TensorProto
    half = onnx.numpy_helper.from_array(np.ones(2, np.float16))
    nodes = [
        helper.make_node("Constant", [], ["tensor"], value=half),
        helper.make_node("Constant", [], ["number"], value_float=1.0),
        helper.make_node("Constant", [], ["whole"], value_ints=[1, 2]),
        helper.make_node("ConstantOfShape", ["whole"], ["filled"]),
        helper.make_node("ConstantOfShape", ["whole"], ["halves"], value=half),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kinds.BOOL, ["n"])], [helper.make_empty_tensor_value_info("y")]
    )
    read = read_stated(helper.make_model(graph).SerializeToString())
    assert [node.states for node in read.nodes] == ["fp16", "fp32", "int64", "", "fp16"]
    assert read.types == {"x": "bool"}
