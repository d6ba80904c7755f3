"""Q/DQ in the graph: scales by hand, values on the grid, what is kept, and graphs of any shape."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="needs the train extra")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from edgecvar.compile.int8.layers import MANY, find_layers, find_residuals, quantised_tensors  # noqa: E402
from edgecvar.compile.int8.quantize import LEVELS, Quantizer, quantise_weights  # noqa: E402
from edgecvar.compile.int8.sample_walk import open_session  # noqa: E402
from edgecvar.errors import CompileError  # noqa: E402

pytestmark = pytest.mark.train


def model_of(nodes: List[Any], constants: Dict[str, NDArray], shape: List[int], output: str = "y") -> Any:
    """Opset 13, input "x" of (batch, *shape), one output."""
    graph = helper.make_graph(
        nodes,
        "stage",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])],
        [
            helper.make_tensor_value_info(
                output, TensorProto.FLOAT, ["batch", *(f"d{place}" for place in range(len(shape)))]
            )
        ],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def conv(name: str, source: str, output: str, **attributes: Any) -> Any:
    return helper.make_node("Conv", [source, f"{name}.w", f"{name}.b"], [output], name=name, **attributes)


def weights(name: str, *shape: int, seed: int = 0) -> Dict[str, NDArray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape).astype(np.float32)
    return {f"{name}.w": values, f"{name}.b": rng.normal(size=shape[0]).astype(np.float32)}


def run(model: Any, x: NDArray) -> NDArray:
    result: NDArray = open_session(model.SerializeToString(), "stage", 1).run(None, {"x": x})[0]
    return result


def ops(model: Any) -> List[str]:
    return sorted(node.op_type for node in model.graph.node)


@pytest.fixture
def residual() -> Any:
    """x -> a -> r -> b -> + r -> y: a residual as networks have it."""
    nodes = [
        conv("a", "x", "ta"),
        helper.make_node("Relu", ["ta"], ["r"], name="relu"),
        conv("b", "r", "tb"),
        helper.make_node("Add", ["tb", "r"], ["y"], name="sum"),
    ]
    return model_of(nodes, {**weights("a", 4, 3, 1, 1), **weights("b", 4, 4, 1, 1, seed=1)}, [3, 5, 5])


def test_scales_are_each_channels_largest_over_127() -> None:
    values = np.array([[1.0, -2.54], [0.5, 0.25], [0.0, 0.0]], np.float32)
    levels, scale = quantise_weights(values, 0)
    assert np.allclose(scale, [0.02, 0.5 / 127, 1.0])
    assert levels.tolist() == [[50, -127], [127, 64], [0, 0]]
    assert quantise_weights(values, 1)[0].tolist() == [[127, -127], [64, 12], [0, 0]]
    levels, scale = quantise_weights(values, None)
    assert scale.shape == () and levels.tolist() == [[50, -127], [25, 12], [0, 0]]


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=30))
def test_rounding_is_never_off_by_more_than_half_a_level(values: List[float]) -> None:
    array = np.array([values], np.float32)
    levels, scale = quantise_weights(array, 0)
    assert scale > 0 and np.abs(levels).max() <= LEVELS
    error = np.abs(levels.astype(np.float64) * scale.astype(np.float64)[:, None] - array)
    assert (error <= scale.astype(np.float64) * 0.5001 + 1e-35).all()


def test_values_on_the_grid_pass_exactly() -> None:
    rng = np.random.default_rng(2)
    kernel = rng.integers(-127, 128, (2, 3, 1, 1)).astype(np.float32)
    kernel[:, 0] = 127
    model = model_of([conv("a", "x", "y")], {"a.w": kernel / 128, "a.b": np.zeros(2, np.float32)}, [3, 4, 4])
    x = rng.integers(-127, 128, (2, 3, 4, 4)).astype(np.float32) / 64
    got = run(Quantizer(model).write({"x": 127 / 64}, frozenset()), x)
    assert np.allclose(got, run(model, x), rtol=1e-6, atol=1e-6)


def test_int8_is_what_the_formula_says(residual: Any) -> None:
    x = np.random.default_rng(3).normal(size=(2, 3, 5, 5)).astype(np.float32)
    ranges = {"x": 2.0, "r": 3.0}
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in residual.graph.initializer}

    def through(values: NDArray, largest: float) -> NDArray:
        scale = np.float32(largest / 127)
        return np.clip(np.rint(values / scale), -128, 127) * scale

    def layer(name: str, values: NDArray) -> NDArray:
        levels, scale = quantise_weights(constants[f"{name}.w"], 0)
        kernel = (levels * scale[:, None, None, None])[:, :, 0, 0]
        return np.einsum("oc,nchw->nohw", kernel, values) + constants[f"{name}.b"][:, None, None]

    seen = through(np.maximum(layer("a", through(x, 2.0)), 0), 3.0)
    expected = layer("b", seen) + seen
    assert np.allclose(run(Quantizer(residual).write(ranges, frozenset()), x), expected, atol=1e-5)


def test_readers_share_one_pair_and_the_identity_branch_has_it(residual: Any) -> None:
    assert [(each.identity, each.layer) for each in find_residuals(residual)] == [("r", "b")]
    assert quantised_tensors(residual) == ["x", "r"]
    model = Quantizer(residual).write({"x": 1.0, "r": 1.0}, frozenset())
    assert ops(model).count("QuantizeLinear") == 2 and ops(model).count("DequantizeLinear") == 4
    through = next(node for node in model.graph.node if node.name == "b").input[0]
    assert list(next(node for node in model.graph.node if node.name == "sum").input) == ["tb", through]


def test_a_kept_layer_is_fp16_and_leaves_its_residual_alone(residual: Any) -> None:
    model = Quantizer(residual).write({"x": 1.0, "r": 1.0}, {"b"})
    by_name = {node.name: node for node in model.graph.node}
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert [types.get(name) for name in by_name["b"].input] == [None, TensorProto.FLOAT16, TensorProto.FLOAT16]
    assert by_name["sum"].input[1] == "r" and ops(model).count("QuantizeLinear") == 1
    assert ops(model).count("Cast") == 2


def test_all_kept_is_fp16_with_one_cast_between_neighbours() -> None:
    nodes = [conv("a", "x", "t"), conv("b", "t", "y")]
    model = model_of(nodes, {**weights("a", 4, 3, 1, 1), **weights("b", 2, 4, 1, 1, seed=1)}, [3, 5, 5])
    half = Quantizer(model).write({}, {"a", "b"})
    assert ops(half) == ["Cast", "Cast", "Conv", "Conv"]
    assert half.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    x = np.random.default_rng(4).normal(size=(2, 3, 5, 5)).astype(np.float32)
    assert np.allclose(run(half, x), run(model, x), atol=0.02) and not np.array_equal(run(half, x), run(model, x))


def test_a_kept_layer_with_many_weights_stores_them_as_int8() -> None:
    model = model_of([conv("a", "x", "y")], weights("a", MANY // 64, 64, 1, 1), [64, 2, 2])
    (layer,) = find_layers(model)
    half = Quantizer(model).write({}, {"a"})
    assert layer.half_bytes == 0 and ops(half) == ["Cast", "Cast", "Cast", "Conv", "DequantizeLinear"]
    assert half.ByteSize() < 0.4 * model.ByteSize()
    x = np.random.default_rng(4).normal(size=(2, 64, 2, 2)).astype(np.float32)
    assert np.abs(run(half, x) - run(model, x)).max() < 0.5


def test_what_is_beyond_fp16_stays_fp32() -> None:
    values = weights("a", 2, 3, 1, 1)
    values["a.w"][0] *= 1e6
    model = model_of([conv("a", "x", "y")], values, [3, 2, 2])
    assert ops(Quantizer(model).write({"x": 1.0}, {"a"})) == ["Conv"]
    model = model_of([conv("a", "x", "y")], weights("a", 2, 3, 1, 1), [3, 2, 2])
    assert ops(Quantizer(model).write({"x": 1e6}, {"a"})) == ["Conv"]
    assert ops(Quantizer(model, {"y"}).write({"x": 1.0}, {"a"})) == ["Conv"]


@pytest.mark.parametrize("transposed", [0, 1])
def test_matrix_products_are_quantised_over_their_output_channels(transposed: int) -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(4, 3)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "m.w"], ["t"], name="m"),
        helper.make_node("Gemm", ["t", "g.w", "g.b"], ["y"], name="g", transB=transposed),
    ]
    constants = {"m.w": first, "g.w": second.T.copy() if transposed else second, "g.b": np.ones(3, np.float32)}
    model = model_of(nodes, constants, [6])
    assert [layer.axis for layer in find_layers(model)] == [1, 0 if transposed else 1]
    x = rng.normal(size=(7, 6)).astype(np.float32)
    largest = {"x": float(np.abs(x).max()), "t": float(np.abs(x @ first).max())}
    for keep in (set(), {"m"}, {"g"}, {"m", "g"}):
        assert np.abs(run(Quantizer(model).write(largest, keep), x) - run(model, x)).max() < 0.15


def test_a_product_of_two_activations_is_no_layer() -> None:
    model = model_of([helper.make_node("MatMul", ["x", "x"], ["y"], name="m")], {}, [3, 3])
    assert find_layers(model) == [] and quantised_tensors(model) == []
    assert ops(Quantizer(model).write({}, frozenset())) == ["MatMul"]


def test_the_form_is_what_tensorrt_reads(residual: Any) -> None:
    """Three inputs each, zero points of 0 in int8, scales above 0 in fp32, biases in fp32."""
    model = Quantizer(residual).write({"x": 1.0, "r": 1.0}, frozenset())
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type.endswith("quantizeLinear") or "Quantize" in node.op_type]
    assert len(pairs) == 6
    for node in pairs:
        scale, zero = constants[node.input[1]], constants[node.input[2]]
        assert scale.dtype == np.float32 and (scale > 0).all()
        assert zero.dtype == np.int8 and zero.shape == scale.shape and not zero.any()
    assert {constants[name].dtype for name in ("a.b", "b.b")} == {np.dtype(np.float32)}
    assert not {"a.w", "b.w"} & set(constants)


def test_errors_name_what_is_missing(residual: Any) -> None:
    with pytest.raises(CompileError, match="tensor r has no range"):
        Quantizer(residual).write({"x": 1.0}, frozenset())
    with pytest.raises(CompileError, match="no layer named c"):
        Quantizer(residual).write({"x": 1.0, "r": 1.0}, {"c"})
    residual.graph.node[0].name = "b"
    with pytest.raises(CompileError, match="'b'"):
        find_layers(residual)


@settings(max_examples=20, deadline=None)
@given(st.sets(st.sampled_from(["a", "b"])), st.integers(0, 2**31))
def test_any_choice_stays_near_fp32(keep: set, seed: int) -> None:
    nodes = [conv("a", "x", "t"), helper.make_node("Sigmoid", ["t"], ["s"], name="s"), conv("b", "s", "y")]
    values = {**weights("a", 4, 3, 1, 1, seed=seed), **weights("b", 2, 4, 1, 1, seed=seed + 1)}
    model = model_of(nodes, values, [3, 4, 4])
    x = np.random.default_rng(seed).uniform(-1, 1, (1, 3, 4, 4)).astype(np.float32)
    got, expected = run(Quantizer(model).write({"x": 1.0, "s": 1.0}, keep), x), run(model, x)
    # Half a level of each input, of at most 4 inputs, and of each weight.
    bound = 4 * np.abs(values["b.w"]).max() * (0.5 / 127 * (2 + np.abs(values["a.w"]).max() * 3)) + 0.01
    assert np.abs(got - expected).max() <= bound
