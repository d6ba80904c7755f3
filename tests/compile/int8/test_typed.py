"""int8 stages for strongly typed engines: the same numbers in other types, and fp32 only where fp16 cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Mapping, Set

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="needs the train extra")

from onnx import TensorProto, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from edgecvar.compile.int8 import layers  # noqa: E402
from edgecvar.compile.int8.quantize import Quantizer  # noqa: E402
from edgecvar.compile.int8.typed import strongly_typed  # noqa: E402
from edgecvar.compile.onnx.full_layers import LIMIT, SMALLEST  # noqa: E402
from edgecvar.compile.onnx.graph import constants, element_types, producers  # noqa: E402
from edgecvar.compile.onnx.operators import unsupported  # noqa: E402
from edgecvar.errors import CompileError  # noqa: E402
from edgecvar.predict.typing.computing import by_file  # noqa: E402
from edgecvar.predict.typing.survey import given_graph, survey_types  # noqa: E402
from edgecvar.runners.onnx import onnx_runtime, session_options  # noqa: E402
from edgecvar.runners.tensorrt.onnx_weights import plain_weights  # noqa: E402
from tests.compile.chains import chain  # noqa: E402
from tests.small_networks import SMALL, of_one_worker  # noqa: E402

pytestmark = pytest.mark.train

RANGES = {"picture": 4.0, "seen": 6.0}
LARGEST = {"picture": 4.0, "wide": 6.0, "seen": 6.0, "narrow": 9.0}
X = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype(np.float32)

CLOSE = 0.005
"""Of the largest output. fp16 rounds to 2^-11, and so the odd value at the border of two levels to the other: a 127th
of its range, in one of 128 terms. The stage in fp32 misses it, where every value is rounded otherwise."""


def run(model: onnx.ModelProto, x: NDArray[Any] = X) -> Any:
    """As the graph says: int8 kernels may saturate."""
    options = session_options(1, as_written=True)
    session = onnx_runtime().InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"picture": x})[0]


def given(model: onnx.ModelProto) -> onnx.ModelProto:
    """What TensorRT's parser gets."""
    return onnx.load_from_string(plain_weights(model.SerializeToString()))


def wide(model: onnx.ModelProto) -> Set[str]:
    """The layers behind an int8 layer that give fp32 tensors inside the graph; a cast to fp32 is for one of those."""
    types, behind, found = element_types(model), set(), set()
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" or behind.intersection(node.input):
            behind |= set(node.output)
            inside = node.op_type != "Cast" and not outputs.intersection(node.output)
            if inside and types[node.output[0]] == TensorProto.FLOAT:
                found.add(node.name)
    return found


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    monkeypatch.setattr(layers, "MANY", 1)
    return onnx.load(str(chain(tmp_path)[1]["look"]))


def typed(
    model: onnx.ModelProto,
    keep: Set[str] = frozenset(),  # type: ignore[assignment]
    largest: Mapping[str, float] = LARGEST,
) -> onnx.ModelProto:
    return strongly_typed(Quantizer(model).write(RANGES, keep, half=False), largest)


def uncast(model: onnx.ModelProto) -> bool:
    """Whether the layers read what is dequantised as it is."""
    makers = producers(model.graph)
    casts = [node for node in model.graph.node if node.op_type == "Cast" and node.input[0] in makers]
    return all(makers[node.input[0]].op_type != "DequantizeLinear" for node in casts)


@pytest.mark.parametrize("keep", [set(), {"first"}, {"second"}, {"first", "second"}])
def test_it_computes_what_the_stage_with_fp32_scales_does(look: onnx.ModelProto, keep: Set[str]) -> None:
    expected, stage = run(Quantizer(look).write(RANGES, keep)), typed(look, keep)
    largest = np.abs(expected).max()
    assert 0 < np.abs(run(stage) - expected).max() < CLOSE * largest
    assert len(keep) == 2 or np.abs(run(look) - expected).max() > CLOSE * largest
    assert wide(stage) == set() and uncast(stage)


@pytest.mark.parametrize("keep", [set(), {"first"}, {"second"}, {"first", "second"}])
def test_tensorrt_gets_the_same_numbers_without_int8_constants(look: onnx.ModelProto, keep: Set[str]) -> None:
    stage = typed(look, keep)
    plain = given(stage)
    onnx.checker.check_model(plain, full_check=True)
    assert np.array_equal(run(plain), run(stage))
    assert wide(plain) == set()
    values, makers = constants(plain.graph), producers(plain.graph)
    assert not any(value.any() for value in values.values() if value.dtype == np.int8)
    for node in plain.graph.node:
        if node.op_type == "Conv":
            weights = values.get(node.input[1])
            if node.name in keep:
                assert weights is not None and weights.dtype == np.float16
            else:
                assert weights is None and makers[node.input[1]].op_type == "DequantizeLinear"


def test_only_parsers_of_its_operator_set_are_told_to_read_it(look: onnx.ModelProto) -> None:
    stage = typed(look)
    reasons = [each.reason for each in unsupported(stage)]
    assert "operator set 19, and TensorRT 8.2 reads sets up to 13" in reasons
    assert unsupported(given(Quantizer(look).write(RANGES, set()))) == []


@pytest.mark.parametrize("large", ["wide", "seen", "narrow"])
def test_what_fp16_cannot_hold_stays_fp32_with_its_scales(look: onnx.ModelProto, large: str) -> None:
    stage = typed(look, largest={**LARGEST, large: 2 * LIMIT})
    first = {"first", "first.DequantizeLinear", "picture.DequantizeLinear"}
    second = {"second", "second.DequantizeLinear", "seen.DequantizeLinear"}
    assert wide(stage) == {"wide": {*first, "relu"}, "seen": {"relu", *second}, "narrow": second}[large]
    assert uncast(stage)
    expected = run(Quantizer(look).write(RANGES, set()))
    assert np.abs(run(stage) - expected).max() < CLOSE * np.abs(expected).max()


def test_a_channel_whose_scale_fp16_cannot_hold_keeps_its_layer_in_int8(look: onnx.ModelProto) -> None:
    weights = numpy_helper.to_array(look.graph.initializer[0]).copy()
    weights[0] *= 1e-9
    weights[1] *= 1e-3
    look.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "first"))
    stage = typed(look)
    assert wide(stage) == set()
    scales = [value for value in constants(stage.graph).values() if value.dtype == np.float16]
    assert all((value >= SMALLEST).all() for value in scales)
    expected = run(Quantizer(look).write(RANGES, set()))
    assert np.abs(run(stage) - expected).max() < CLOSE * np.abs(expected).max()


def test_a_layer_of_small_weights_stays_fp32_between_its_scales(look: onnx.ModelProto) -> None:
    weights = numpy_helper.to_array(look.graph.initializer[0]) * np.float32(SMALLEST)
    look.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "first"))
    assert {"first", "first.DequantizeLinear", "picture.DequantizeLinear"} <= wide(typed(look))


def test_what_cannot_be_said_in_the_newer_set_is_one_clear_error(
    look: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise RuntimeError("No Adapter From Version 17 for Odd")

    monkeypatch.setattr("edgecvar.compile.int8.typed.version_converter.convert_version", refuse)
    with pytest.raises(CompileError, match=r"from operator set 13 to 19: No Adapter.* leave int8 out") as caught:
        typed(look)
    assert "\n" not in str(caught.value)


def test_what_comes_before_the_first_int8_layer_is_fp16_too(look: onnx.ModelProto) -> None:
    """A region without a convolution of its own, for the one behind it computes in int8."""
    look.graph.node.insert(0, onnx.helper.make_node("Abs", ["picture"], ["bright"], name="bright"))
    look.graph.node[1].input[0] = "bright"
    ranges = {**RANGES, "bright": 4.0}
    stage = strongly_typed(Quantizer(look).write(ranges, frozenset(), half=False), {**LARGEST, "bright": 4.0})
    assert element_types(stage)["bright"] == TensorProto.FLOAT16
    computed = {node.name: node.type for node in by_file(given_graph(stage.SerializeToString()))}
    assert computed == {"bright": "fp16", "first": "int8", "relu": "fp16", "second": "int8", "mean": "fp16"}
    alone = typed(look_without(look, "bright"))
    assert not any(node.op_type == "Cast" and node.input[0] == "picture" for node in alone.graph.node)


def look_without(look: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The stage without a node that comes first."""
    bare = onnx.ModelProto.FromString(look.SerializeToString())
    first = bare.graph.node.pop(0)
    assert first.name == name
    bare.graph.node[0].input[0] = first.input[0]
    return bare


def test_a_bound_before_fp16_scales_holds(look: onnx.ModelProto) -> None:
    """Operator set 19 keeps a Clip, and its bounds are far within the range of the quantisation behind it."""
    bounds = {"low": 0.0, "high": 0.5}
    look.graph.initializer.extend(numpy_helper.from_array(np.float32(value), name) for name, value in bounds.items())
    relu = next(node for node in look.graph.node if node.name == "relu")
    relu.CopyFrom(onnx.helper.make_node("Clip", ["wide", *bounds], ["seen"], name="relu"))
    stage = typed(look, largest={**LARGEST, "seen": 0.5})
    expected = ReferenceEvaluator(stage).run(None, {"picture": X})[0]
    assert np.abs(run(stage) - expected).max() < CLOSE * np.abs(expected).max()
    # Without it the tensor would be as large as its range.
    relu.CopyFrom(onnx.helper.make_node("Relu", ["wide"], ["seen"], name="relu"))
    assert np.abs(run(typed(look)) - expected).max() > 0.1 * np.abs(expected).max()


def test_a_file_with_more_in_fp32_than_fp16_needs_is_refused_with_the_node(
    look: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecvar.compile.int8.typed.to_half", lambda model, largest, keep: model)
    with pytest.raises(CompileError, match=r"TensorRT 11: node relu \(Relu\) and 1 more would compute in fp32.*report"):
        typed(look)


def test_a_file_that_its_parser_would_refuse_is_refused_with_the_node(
    look: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_a_scale(model: onnx.ModelProto, largest: Any, keep: Any) -> onnx.ModelProto:
        first = next(node for node in model.graph.node if node.name == "first")
        scale = producers(model.graph)[first.input[1]].input[1]
        (tensor,) = [each for each in model.graph.initializer if each.name == scale]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), scale))
        return model

    monkeypatch.setattr("edgecvar.compile.int8.typed.to_half", half_a_scale)
    with pytest.raises(CompileError, match=r"node first\.?\S* \(.*\) reads tensors of several types"):
        typed(look)


@pytest.mark.parametrize("name", of_one_worker(SMALL))
def test_between_int8_layers_only_what_the_fp16_stage_keeps_is_fp32(learnt: Callable[[str], Any], name: str) -> None:
    _, bundle = learnt(name)
    for stage in bundle.manifest.stages:
        model, half = (
            onnx.load(str(bundle.stage_file(stage.name, precision, strongly_typed=True)))
            for precision in ("int8", "fp16")
        )
        types = element_types(half)
        kept = {node.name for node in half.graph.node if types[node.output[0]] == TensorProto.FLOAT}
        assert wide(given(model)) <= kept
        assert uncast(model)
    for types_here in survey_types(bundle):
        assert types_here.unasked == () and types_here.mismatches == ()
