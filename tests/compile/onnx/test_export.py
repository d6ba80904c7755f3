"""Exported stages in the operator set of old parsers: same numbers, nodes named after modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, parser

from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.compile.bundle import Compiled
from edgecvar.compile.onnx.export import export_stage
from edgecvar.compile.onnx.lowering import lower
from edgecvar.compile.subject import find_subject
from edgecvar.errors import CompileError


def parse(text: str, opset: int = 18) -> onnx.ModelProto:
    return parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}')


def run(model: onnx.ModelProto, inputs: Dict[str, Any]) -> Any:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def opset_of(model: onnx.ModelProto) -> int:
    return {entry.domain: entry.version for entry in model.opset_import}[""]


TAKEN = StageInput(name="velocity", source="motion", shape=[4])

GRAPHS = {
    "mean": "g (float[N,4,6,5] x) => (float[N,4] y) "
    "<int64[2] axes = {2, 3}> { y = ReduceMean <keepdims = 0> (x, axes) }",
    "batch norm": "g (float[N,4,6,5] x) => (float[N,4,6,5] y) <float[4] s = {1, 2, 3, 4}, float[4] b = {4, 3, 2, 1}, "
    "float[4] m = {0, 1, 0, 1}, float[4] v = {1, 2, 1, 2}> "
    "{ y = BatchNormalization <epsilon = 0.001, training_mode = 0> (x, s, b, m, v) }",
    "mean of all": "g (float[N,4,6,5] x) => (float[1,1,1,1] y) { y = ReduceMean (x) }",
    "norm": "g (float[N,4,6,5] x) => (float[N,1,6,5] y) <int64[1] axes = {1}> { y = ReduceL2 (x, axes) }",
    "root": "g (float[N,4,6,5] x) => (float[N,4,6,5] y) { a = Abs (x) r = Sqrt (a) q = Reciprocal (r) y = Mul (q, x) }",
    "reciprocal": "g (float[N,4,6,5] x) => (float[N,4,6,5] y) { a = Exp (x) y = Reciprocal (a) }",
    "two readers": "g (float[N,4,6,5] x) => (float[N,4,6,5] y) "
    "{ a = Exp (x) q = Reciprocal (a) s = Mul (q, q) t = Mul (x, q) y = Add (s, t) }",
    "reshape": "g (float[N,4,6,5] x) => (float[N,4,30] y) "
    "<int64[3] shape = {-1, 4, 30}> { y = Reshape <allowzero = 1> (x, shape) }",
    "split": "g (float[N,4,6,5] x) => (float[N,4,6,2] a, float[N,4,6,2] b, float[N,4,6,1] c) "
    "{ a, b, c = Split <axis = -1, num_outputs = 3> (x) }",
    "identity": "g (float[N,4,6,5] x) => (float[N,4,6,5] y) { a = Identity (x) b = Identity (a) y = Relu (b) }",
    "resize": "g (float[N,4,6,5] x) => (float[N,4,12,10] y) <float[4] scales = {1, 1, 2, 2}> "
    '{ y = Resize <mode = "linear", antialias = 0> (x, , scales) }',
    "parts of a shape": "g (float[N,4,6,5] x) => (float[N,4,12,10] y, int64[4] whole, int64[3] last) "
    "<int64[2] sides = {12, 10}> { first = Shape <start = 0, end = 2> (x) whole = Shape (x) "
    "last = Shape <start = -3> (x) "
    'sizes = Concat <axis = 0> (first, sides) y = Resize <mode = "linear"> (x, , , sizes) }',
}


@pytest.mark.parametrize("name", GRAPHS)
def test_lowered_graphs_give_the_same_numbers(name: str) -> None:
    model = parse(GRAPHS[name])
    inputs = {"x": np.random.default_rng(1).normal(size=(3, 4, 6, 5)).astype(np.float32)}
    before = run(model, inputs)
    lower(model)
    onnx.checker.check_model(model, full_check=True)
    assert opset_of(model) == 13
    assert model.ir_version == 7
    assert not {"Reciprocal", "Identity"} & {node.op_type for node in model.graph.node}
    for got, expected in zip(run(model, inputs), before):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


PADDED = {
    "behind": ("{0, 0, 0, 0, 0, 0, 1, 2}", "", "y = Conv (p, w)", [0, 0, 1, 2]),
    "beside its own": (
        "{0, 0, 2, 1, 0, 0, 1, 0}",
        ", z",
        "y = Conv <pads = [1, 1, 0, 0], strides = [2, 2]> (p, w)",
        [3, 2, 1, 0],
    ),
    "for two": ("{0, 0, 1, 0, 0, 0, 0, 1}", "", "a = Conv (p, w) b = Conv (p, w) y = Add (a, b)", [1, 0, 0, 1]),
}
"""What is added, what with, who reads it, and the padding that the first of them then has."""


def padded(pads: str, value: str, reads: str) -> onnx.ModelProto:
    constants = f"<int64[8] pads = {pads}, float[2,4,3,3] w = {{{', '.join(str(each % 5 - 2) for each in range(72))}}}"
    return parse(
        f"g (float[N,4,6,5] x) => (float[N,C,H,W] y) {constants}, float z = {{0}}, float one = {{1}}> "
        f"{{ p = Pad (x, pads{value}) {reads} }}"
    )


@pytest.mark.parametrize("name", PADDED)
def test_zeros_before_convolutions_become_their_padding(name: str) -> None:
    pads, value, reads, expected = PADDED[name]
    model = padded(pads, value, reads)
    inputs = {"x": np.random.default_rng(1).normal(size=(3, 4, 6, 5)).astype(np.float32)}
    (before,) = run(model, inputs)
    lower(model)
    onnx.checker.check_model(model, full_check=True)
    assert "Pad" not in {node.op_type for node in model.graph.node}
    first = model.graph.node[0]
    assert {each.name: list(each.ints) for each in first.attribute}["pads"] == expected
    np.testing.assert_allclose(run(model, inputs)[0], before, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(
    ("pads", "value", "reads"),
    [
        ("{0, 0, 0, 0, 0, 0, 1, 2}", ", one", "y = Conv (p, w)"),
        ("{0, 0, -1, 0, 0, 0, 1, 2}", "", "y = Conv (p, w)"),
        ("{0, -1, 0, 0, 0, 1, 1, 2}", "", "y = Conv (p, w)"),
        ("{0, 0, 0, 0, 0, 0, 1, 2}", "", 'y = Conv <auto_pad = "SAME_UPPER"> (p, w)'),
        ("{0, 0, 0, 0, 0, 0, 1, 2}", "", "a = Conv (p, w) b = ReduceSum (p) y = Add (a, b)"),
    ],
)
def test_what_is_no_padding_of_a_convolution_stays(pads: str, value: str, reads: str) -> None:
    model = padded(pads, value, reads)
    inputs = {"x": np.random.default_rng(1).normal(size=(3, 4, 6, 5)).astype(np.float32)}
    (before,) = run(model, inputs)
    lower(model)
    assert "Pad" in {node.op_type for node in model.graph.node}
    np.testing.assert_allclose(run(model, inputs)[0], before, rtol=1e-6, atol=1e-5)


def test_an_operator_that_is_newer_keeps_its_set() -> None:
    model = parse("g (float[N,4,6,5] x, float[N,3,3,2] f) => (float[N,4,3,3] y) { y = GridSample (x, f) }")
    lower(model)
    assert opset_of(model) == 16


@pytest.mark.parametrize(
    "text",
    [
        "g (float[N,5] x) => (float[K,5] a, float[L,5] b) { a, b = Split <axis = 0, num_outputs = 2> (x) }",
        "g (float[N,5] x, int64[1] axes) => (float[N,1] y) { y = ReduceMean (x, axes) }",
        "g (float[N,5] x) => (float[N,5] y) { y = Mish (x) }",
    ],
)
def test_what_no_old_set_says_is_an_error_with_the_layer(text: str) -> None:
    model = parse(text)
    model.graph.node[0].name = "the.layer"
    with pytest.raises(CompileError, match=r"layer the\.layer: operator \w+ .* write the layer with other operations"):
        lower(model)


def test_an_error_names_the_module(tmp_path: Path) -> None:
    class Unsayable(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Mish())

        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            return self.inner(maps)

    spec = StageSpec(name="late", cadence="picture", inputs=[TAKEN], output_shape=[4])
    with pytest.raises(CompileError, match=r"stage late: layer inner\.1: operator Mish"):
        export_stage(Unsayable(), spec, tmp_path / "late.onnx")
    assert list(tmp_path.iterdir()) == []


def test_nodes_are_named_after_modules(configure: Any, compiled: Compiled) -> None:
    network = find_subject(configure()).network
    for spec in compiled.bundle.manifest.stages:
        graph = onnx.load(str(compiled.bundle.stage_file(spec.name))).graph
        names = [node.name for node in graph.node]
        assert len(set(names)) == len(names)
        modules = {name for name, _ in network.stage(spec.name).named_modules()}
        for node in graph.node:
            weighted = node.op_type in ("Conv", "Gemm")
            place = node.name if weighted else node.name.partition(f".{node.op_type}")[0]
            assert place in modules or (not weighted and place.partition(".")[0] == node.op_type)
            assert not node.metadata_props
        parameters = {name for name, _ in network.stage(spec.name).named_parameters()}
        weights = {tensor.name for tensor in graph.initializer if tensor.name.endswith(".weight")}
        assert weights
        assert weights <= parameters
        assert {tensor.name for tensor in graph.initializer} <= {name for node in graph.node for name in node.input}
    first = onnx.load(str(compiled.bundle.stage_file("motion"))).graph.node[:3]
    assert [node.name for node in first] == [
        "backbone.features.0.0",
        "backbone.features.0.2.Sigmoid",
        "backbone.features.0.2.Mul",
    ]


def test_only_the_batch_is_open(compiled: Compiled) -> None:
    for spec in compiled.bundle.manifest.stages:
        model = onnx.shape_inference.infer_shapes(onnx.load(str(compiled.bundle.stage_file(spec.name))))
        for value in model.graph.value_info:
            sizes = value.type.tensor_type.shape.dim
            assert all(size.dim_value > 0 for size in sizes[1:]), value.name
        for node in model.graph.node:
            said = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
            assert "auto_pad" not in said
