"""fp16 stages: what changes, what stays, and that true half arithmetic gives the same decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Set

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper, parser
from onnx.reference import ReferenceEvaluator

from edgecvar.compile.bundle import Compiled
from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.onnx.full_layers import LIMIT, full_layers
from edgecvar.compile.onnx.graph import element_types
from edgecvar.compile.onnx.half import to_half
from edgecvar.compile.onnx.magnitudes import largest_magnitudes
from edgecvar.compile.onnx.operators import unsupported
from edgecvar.compile.plan import plan_compilation
from edgecvar.errors import CompileError
from edgecvar.judge.parity import record
from edgecvar.runners.onnx import OnnxRunner


def full(model: onnx.ModelProto, largest: Mapping[str, float] = {}) -> Set[str]:
    """Names of the layers that stay fp32."""
    outputs = full_layers(model, element_types(model), largest)
    return {node.name for node in model.graph.node if node.output[0] in outputs}


def parse(body: str) -> onnx.ModelProto:
    """A graph at operator set 13, each node named after its first output."""
    model = parser.parse_model(f'<ir_version: 7, opset_import: ["" : 13]> {body}')
    for node in model.graph.node:
        node.name = node.output[0]
    return model


def weights(model: onnx.ModelProto, **values: Any) -> onnx.ModelProto:
    for name, value in values.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    return model


def halves(model: onnx.ModelProto) -> Any:
    """The model's answer in true half arithmetic."""
    evaluator = ReferenceEvaluator(model)
    return lambda **inputs: evaluator.run(None, inputs)[0]


def casts(model: onnx.ModelProto) -> List[str]:
    return [node.output[0] for node in model.graph.node if node.op_type == "Cast"]


def linear(size: int = 8) -> Any:
    """A weight that is worth fp16."""
    return np.random.default_rng(0).normal(size=(size, size)) / size**0.5


def test_stages_keep_fp32_at_their_ends_and_hold_fp16_inside(compiled: Compiled) -> None:
    for spec in compiled.bundle.manifest.stages:
        model = onnx.load(str(compiled.bundle.stage_file(spec.name)))
        half = to_half(model)
        ends = [*half.graph.input, *half.graph.output]
        assert [value.name for value in ends] == [tensor.name for tensor in spec.inputs] + [spec.name]
        assert {value.type.tensor_type.elem_type for value in ends} == {TensorProto.FLOAT}
        held = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
        assert all(kind == TensorProto.FLOAT16 for name, kind in held.items() if name.endswith((".weight", ".bias")))
        assert {node.name for node in model.graph.node} <= {node.name for node in half.graph.node}
        assert len({node.name for node in half.graph.node}) == len(half.graph.node)
        assert len(casts(half)) == 2
        onnxruntime.InferenceSession(half.SerializeToString(), providers=["CPUExecutionProvider"])


def test_trilinear_pooling_root_and_norm_stay(compiled: Compiled) -> None:
    model = onnx.load(str(compiled.bundle.stage_file("fuse")))
    changed = {node.name for node in model.graph.node} - full(model)
    assert "classifier" in changed
    assert {node.op_type for node in model.graph.node if node.name in changed} == {"Gemm", "Mul"}


def test_weights_take_half_the_room() -> None:
    model = weights(parse("g (float[N,64] x) => (float[N,64] y) { y = MatMul (x, w) }"), w=linear(64))
    assert to_half(model).ByteSize() < 0.51 * model.ByteSize()


def test_true_half_arithmetic_agrees(configure: Any, compiled: Compiled) -> None:
    plan = plan_compilation(configure())
    samples = read_inputs(plan.clips, plan.subject).samples[:2]
    with OnnxRunner(compiled.bundle, threads=1) as runner:
        recorded = record(runner, compiled.bundle.manifest.stages, samples)
    for spec in compiled.bundle.manifest.stages:
        half = halves(to_half(onnx.load(str(compiled.bundle.stage_file(spec.name)))))
        got, expected = half(**recorded.inputs[spec.name][-1]), recorded.outputs[spec.name][-1]
        assert got.dtype == np.float32
        assert 0 < np.abs(got - expected).max() < 0.02 * np.abs(expected).max()


def test_sums_that_overflow_stay(compiled: Compiled) -> None:
    """Maps of 60 give products of 60^3 and their sums: 3 to 20 times what fp16 holds."""
    model = onnx.load(str(compiled.bundle.stage_file("fuse")))
    shapes = {
        value.name: [size.dim_value or 1 for size in value.type.tensor_type.shape.dim] for value in model.graph.input
    }
    rng = np.random.default_rng(2)
    inputs = {name: rng.uniform(40, 60, shape).astype(np.float32) for name, shape in shapes.items()}
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)[0]
    assert 40**3 * 2 > 65504
    assert np.abs(halves(to_half(model))(**inputs) - expected).max() < 2e-3 * np.abs(expected).max()


def test_a_softmax_between_products() -> None:
    body = "g (float[N,8] x) => (float[N,8] y) { a = MatMul (x, w) s = Softmax (a) y = MatMul (s, w) }"
    model = weights(parse(body), w=linear())
    assert full(model) == {"s"}
    assert casts(to_half(model)) == ["x.fp16", "a.fp32", "s.fp16", "y"]


@pytest.mark.parametrize(("floor", "stays"), [(1e-6, True), (3e-5, True), (1e-3, False), (0.0, False)])
def test_a_floor_that_half_does_not_hold_stays(floor: float, stays: bool) -> None:
    model = parse("g (float[N,8] x) => (float[N,8] y) { a = MatMul (x, w) b = Add (a, e) y = MatMul (b, w) }")
    weights(model, w=linear(), e=floor)
    assert full(model) == ({"b"} if stays else set())
    held = {tensor.name: tensor.data_type for tensor in to_half(model).graph.initializer}
    assert held["e"] == (TensorProto.FLOAT if stays else TensorProto.FLOAT16)


def test_weights_that_overflow_or_vanish_stay() -> None:
    body = "g (float[N,8] x) => (float[N,8] y) { a = Gemm (x, u, d) b = Gemm (a, v) y = Gemm (b, w, d) }"
    model = weights(parse(body), u=linear() * 1e5, v=linear() * 1e-6, w=linear(), d=np.full(8, 1e-9))
    half = to_half(model)
    assert full(model) == {"a", "b"}
    held = {tensor.name: numpy_helper.to_array(tensor).dtype for tensor in half.graph.initializer}
    # A bias of next to nothing does not keep a layer, and both layers have their own copy of it.
    assert held == {"u": np.float32, "v": np.float32, "w": np.float16, "d": np.float32, "d.fp16": np.float16}


def test_measured_tensors_decide() -> None:
    body = "g (float[N,8] x) => (float[N,8] y) { a = MatMul (x, w) b = Relu (a) c = MatMul (b, w) y = MatMul (c, w) }"
    model = weights(parse(body), w=linear())
    assert full(model, {"x": 1.0, "a": 9.0, "b": 9.0, "c": LIMIT, "y": 1.0}) == set()
    assert full(model, {"b": 2 * LIMIT}) == {"b", "c"}
    assert full(model, {"c": 1e-5}) == {"c", "y"}
    assert full(model, {"c": float("nan")}) == {"c", "y"}
    assert full(model, {"c": 0.0}) == set()


def test_means_of_many_stay_unless_measured_small() -> None:
    body = (
        "g (float[N,8,80,80] x) => (float[N,8,80,80] y) "
        "{ a = Conv (x, w) m = ReduceMean <axes = [2, 3]> (a) b = Mul (a, m) y = Conv (b, w) }"
    )
    model = weights(parse(body), w=linear()[:, :, None, None])
    assert full(model) == {"m"}
    assert full(model, {"m": 1.0}) == set()
    assert full(model, {"m": 100.0}) == {"m"}


def test_what_is_not_worth_its_casts_stays() -> None:
    body = "g (float[N,8] x) => (float[N,8] y) { a = Relu (x) b = Add (a, x) c = Exp (b) y = MatMul (c, w) }"
    model = weights(parse(body), w=linear())
    assert full(model) == {"a", "b", "c"}
    nothing = weights(parse("g (float[N,8] x) => (float[N,8] y) { a = Relu (x) y = Mul (a, e) }"), e=2.0)
    assert casts(to_half(nothing)) == []


def test_an_output_may_be_read_inside_too() -> None:
    body = "g (float[N,8] x) => (float[N,8] y, float[N,8] z) { y = MatMul (x, w) e = Exp (y) z = MatMul (y, e) }"
    model = weights(parse(body), w=linear())
    x = np.eye(8, dtype=np.float32)
    half = to_half(model)
    assert casts(half).count("y") == 1
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    for got, right in zip(ReferenceEvaluator(half).run(None, {"x": x}), expected):
        np.testing.assert_allclose(got, right, rtol=0.02, atol=0.02)


def test_quantised_layers_stay_as_they_are() -> None:
    body = (
        "g (float[N,8] x) => (float[N,8] y) <float s = {0.1}, int8 o = {0}> "
        "{ a = MatMul (x, w) q = QuantizeLinear (a, s, o) d = DequantizeLinear (q, s, o) b = MatMul (d, v) "
        "y = MatMul (b, w) }"
    )
    model = weights(parse(body), w=linear(), v=linear())
    assert full(model) == {"q", "d", "b"}
    types = element_types(to_half(model))
    assert (types["s"], types["v"], types["w"]) == (TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.FLOAT16)


def test_scales_of_a_resize_are_no_weights() -> None:
    body = (
        "g (float[N,8,4,4] x) => (float[N,8,8,8] y) <float[4] s = {1, 1, 2, 2}> { a = Conv (x, w) y = Resize (a, , s) }"
    )
    types = element_types(to_half(weights(parse(body), w=linear()[:, :, None, None])))
    assert (types["s"], types["w"]) == (TensorProto.FLOAT, TensorProto.FLOAT16)


def test_integers_pass_through() -> None:
    body = (
        "g (float[N,8] x) => (float[N,8] y) <int64[1] one = {1}> "
        "{ a = MatMul (x, w) n = Shape (a) f = Cast <to = 1> (n) r = ReduceMax (f) b = Mul (a, r) y = MatMul (b, w) }"
    )
    model = weights(parse(body), w=linear())
    x = np.eye(8, dtype=np.float32)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_allclose(halves(to_half(model))(x=x), expected, rtol=0.02, atol=0.02)


def test_a_choice_by_a_comparison_is_half() -> None:
    body = (
        "g (float[N,8] x) => (float[N,8] y) "
        "{ a = MatMul (x, w) c = Greater (a, z) b = Where (c, a, z) y = MatMul (b, w) }"
    )
    model = weights(parse(body), w=linear(), z=0.25)
    assert full(model) == set()
    x = np.eye(8, dtype=np.float32)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_allclose(halves(to_half(model))(x=x), expected, rtol=0.02, atol=0.02)


def test_control_flow_is_refused() -> None:
    body = (
        "g (bool c, float[N,8] x) => (float[N,8] y) { y = If (c) "
        "<then_branch = t () => (float[N,8] u) { u = Relu (x) }, "
        "else_branch = e () => (float[N,8] v) { v = Neg (x) }> }"
    )
    with pytest.raises(CompileError, match="layer y: control flow"):
        to_half(parse(body))


def test_the_model_given_is_left_as_it_was() -> None:
    model = weights(parse("g (float[N,8] x) => (float[N,8] y) { y = MatMul (x, w) }"), w=linear())
    before = model.SerializeToString()
    shared: Dict[str, float] = {}
    assert to_half(model, shared).SerializeToString() != before
    assert model.SerializeToString() == before


def test_magnitudes_are_the_largest_of_all_samples_and_keep_what_is_no_number(tmp_path: Path) -> None:
    model = parse("g (float[N, 2] x) => (float[N, 2] y) { root = Sqrt(x) y = Neg(root) }")
    file = tmp_path / "stage.onnx"
    onnx.save(model, str(file))
    samples = [{"x": np.array([values], np.float32)} for values in ([4, 1], [9, 0], [1, -1], [1, 1])]
    found = largest_magnitudes(file, "stage", samples)
    assert found["x"] == 9 and np.isnan(found["root"]) and np.isnan(found["y"])
    assert largest_magnitudes(file, "stage", samples[:2]) == {"x": 9, "root": 3, "y": 3}


CHAIN = "g (float[N,8] x) => (float[N,8] y) { a = MatMul (x, w) b = Mul (a, k) c = Mul (b, k) y = MatMul (c, w) }"


def test_a_layer_that_is_named_stays_with_what_reads_it() -> None:
    model = weights(parse(CHAIN), w=linear(), k=np.float32(3))
    assert full(model) == set()
    outputs = full_layers(model, element_types(model), {}, {"b"})
    assert outputs == {"b", "c"}
    half = to_half(model, keep={"b"})
    kinds = element_types(half)
    assert {name: kinds[name] == TensorProto.FLOAT16 for name in "abc"} == {"a": True, "b": False, "c": False}
    with pytest.raises(CompileError, match=r"unknown layer 'bb': did you mean 'b'\?"):
        to_half(model, keep={"bb"})


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        ("Clip (a, zero, six)", ["Relu", "Min"]),
        ("Clip (a, low, six)", ["Max", "Min"]),
        ("Clip (a, zero)", ["Relu"]),
        ("Clip (a, , six)", ["Min"]),
        ("Clip (a)", ["Clip"]),
    ],
)
def test_bounds_are_no_constants_that_tensorrt_8_2_misreads(clip: str, expected: List[str]) -> None:
    body = f"g (float[N,8] x) => (float[N,8] y) {{ a = MatMul (x, w) b = {clip} y = MatMul (b, w) }}"
    model = weights(parse(body), w=linear() * 9, zero=np.float32(0), low=np.float32(-2), six=np.float32(6))
    half = to_half(model)
    between = [node for node in half.graph.node if node.op_type not in ("MatMul", "Cast")]
    assert [node.op_type for node in between] == expected and between[-1].name == "b"
    assert element_types(half)["b"] == TensorProto.FLOAT16
    assert unsupported(half) == []
    x = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    wanted = halves(model)(x=x)
    assert np.abs(halves(half)(x=x) - wanted).max() < 5e-3 * np.abs(wanted).max()


def test_a_value_to_pad_with_stays_fp32_and_zero_goes_unsaid() -> None:
    body = "g (float[N,8] x) => (float[N,8] y) <int64[4] p = {0, 1, 0, 0}> "
    body += "{ a = MatMul (x, w) b = Pad (a, p, v) y = MatMul (b, w2) }"
    shaped = {"w": linear(), "w2": np.concatenate([linear(), linear()[:1]])}
    zero = to_half(weights(parse(body), v=np.float32(0), **shaped))
    (pad,) = [node for node in zero.graph.node if node.op_type == "Pad"]
    assert not any(pad.input[2:]) and element_types(zero)["b"] == TensorProto.FLOAT16
    one = to_half(weights(parse(body), v=np.float32(1), **shaped))
    assert element_types(one)["b"] == TensorProto.FLOAT
    assert unsupported(zero) == unsupported(one) == []


def test_the_operator_check_knows_what_8_2_misreads() -> None:
    body = "g (float16[N,8] x) => (float16[N,8] y) { a = Clip (x, zero, six) y = Pad (a, p, six) }"
    model = parse(body)
    for name, value in (("zero", np.float16(0)), ("six", np.float16(6)), ("p", np.array([0, 0, 0, 0], np.int64))):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    assert [(each.operator, each.reason.split(" is ")[0]) for each in unsupported(model)] == [
        ("Clip", "its input min"),
        ("Clip", "its input max"),
        ("Pad", "its input constant_value"),
    ]
