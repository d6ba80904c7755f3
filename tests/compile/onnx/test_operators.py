"""The operators of every network and precision, against NVIDIA's table for TensorRT 8.2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Sequence

import onnx
import onnxruntime
import pytest
import torch
from onnx import parser

from edgecvar.clips.spec import InputSpec
from edgecvar.compile.int8.layers import find_layers, quantised_tensors
from edgecvar.compile.int8.quantize import Quantizer
from edgecvar.compile.onnx.export import export_stage
from edgecvar.compile.onnx.half import to_half
from edgecvar.compile.onnx.operators import TABLE, unsupported
from edgecvar.nets.attp import USED
from edgecvar.nets.catalog import build_network
from edgecvar.runners.tensorrt.onnx_weights import plain_weights
from tests.small_networks import SMALL, of_one_worker

ATTP = {"backbone": {"width": 0.1, "depth": 0.1}, "factor": 2}
FUSIONS = {fusion: {**ATTP, "fusion": fusion, "dim": 16 if fusion == "bp" else 8} for fusion in USED}
"""As wide as each other before they fuse, so that their branches differ in their weights alone."""

CANNOT: Dict[str, str] = {}
"""By network, a part of the reason that `unsupported` gives for what TensorRT 8.2 cannot run."""


def stages_of(fusion: str, kept: Dict[str, Path], folder: Path) -> List[onnx.ModelProto]:
    """The stages of a small ATTP; a stage that differs from an earlier one in its weights alone is not new."""
    torch.manual_seed(0)
    spec = InputSpec(height=48, width=64, stride=4, crop=1.0)
    network = build_network("attp", FUSIONS[fusion], spec, 3).eval()
    stages = []
    for stage in network.stages():
        module = network.stage(stage.name)
        key = f"{module} {[tensor.shape for tensor in stage.inputs]}"
        if key not in kept:
            kept[key] = folder / f"{len(kept)}.onnx"
            export_stage(module, stage, kept[key])
        stages.append(onnx.load(str(kept[key])))
    return stages


def unreadable(models: Iterable[onnx.ModelProto]) -> List[Any]:
    """What 8.2 does not read of them, given as the builder gives them to it."""
    given = [onnx.load_from_string(plain_weights(model.SerializeToString())) for model in models]
    return [each for model in given for each in unsupported(model)]


def partly_quantised(stage: onnx.ModelProto, kept: Sequence[str]) -> onnx.ModelProto:
    """int8 but for the layers that are kept."""
    ranges = dict.fromkeys(quantised_tensors(stage), 4.0)
    return Quantizer(stage).write(ranges, set(kept))


@pytest.fixture(scope="module")
def kept() -> Dict[str, Path]:
    return {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operators")


@pytest.mark.parametrize("name", of_one_worker(SMALL))
def test_tensorrt_8_2_reads_every_network(learnt: Callable[[str], Any], name: str) -> None:
    _, bundle = learnt(name)
    models = [onnx.load(str(bundle.path / file.path)) for file in bundle.manifest.files if not file.strongly_typed]
    for stage in bundle.manifest.stages:
        model = onnx.load(str(bundle.stage_file(stage.name)))
        models.append(partly_quantised(model, [layer.name for layer in find_layers(model)][::2]))
    found, reason = unreadable(models), CANNOT.get(name)
    assert (found == []) if reason is None else any(reason in each.reason for each in found)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_tensorrt_8_2_reads_every_fusion(fusion: str, kept: Dict[str, Path], folder: Path) -> None:
    for stage in stages_of(fusion, kept, folder):
        assert unreadable([stage, to_half(stage), partly_quantised(stage, ())]) == []


def test_tensorrt_8_2_reads_a_mobilenet_that_remembers(tmp_path: Path) -> None:
    """TSN on MobileNetV2, shifted online: ten states, and of its own operators ReLU6 alone."""
    torch.manual_seed(0)
    options = {"backbone": {"kind": "mobilenet_v2", "width": 0.1}, "temporal": "online_shift", "frames": "all"}
    network = build_network("tsn", options, InputSpec(height=32, width=32, crop=1.0), 3).eval()
    (spec,) = network.stages()
    export_stage(network.stage(spec.name), spec, tmp_path / "stage.onnx")
    stage = onnx.load(str(tmp_path / "stage.onnx"))
    assert [(each.domain, each.version) for each in stage.opset_import] == [("", 13)]
    kinds = {node.op_type for node in stage.graph.node}
    assert {"Conv", "Clip"} <= kinds and len(spec.state) == 10
    assert unreadable([stage, to_half(stage), partly_quantised(stage, ())]) == []
    given = {name: torch.randn(1, *shape) for name, shape in spec.takes.items()}
    with torch.no_grad():
        expected = network.stage(spec.name)(*given.values())
    session = onnxruntime.InferenceSession(stage.SerializeToString(), providers=["CPUExecutionProvider"])
    got = session.run(list(spec.gives), {name: tensor.numpy() for name, tensor in given.items()})
    for one, other in zip(expected, got):
        torch.testing.assert_close(torch.from_numpy(other), one, rtol=1e-3, atol=1e-4)


def parse(body: str, opset: int = 13) -> onnx.ModelProto:
    model = parser.parse_model(f'<ir_version: 7, opset_import: ["" : {opset}, "com.maker" : 1]> {body}')
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    return model


@pytest.mark.parametrize(
    ("body", "layer", "reason"),
    [
        ("g (float[N] x) => (int64[1,M] y) { y = NonZero (x) }", "NonZero_0", "not supported"),
        ("g (float[N,4] x) => (float[N,4] y) { y = Reciprocal (x) }", "Reciprocal_0", "not supported"),
        ("g (float[N,4] x) => (float[N,4] y) { y = com.maker.Relu (x) }", "Relu_0", "not in the table"),
        ("g (float[N,4] x) => (float[N,4] y) { y = Bernoulli (x) }", "Bernoulli_0", "not in the table"),
        (
            "g (float[N,4,9] x) => (float[N,4,7] y) { y = MaxPool <kernel_shape = [3]> (x) }",
            "MaxPool_0",
            "3 dimensions",
        ),
        (
            "g (float[N,4,9,9] x) => (float[N,4,7,7] y, int64[N,4,7,7] i) "
            "{ y, i = MaxPool <kernel_shape = [3, 3]> (x) }",
            "MaxPool_0",
            "output Indices is used",
        ),
        (
            "g (float[N,4,9,9] x, float[4,4,3,3] w) => (float[N,4,7,7] y) { v = Abs (w) y = Conv (x, v) }",
            "Conv_1",
            "input W is computed",
        ),
        (
            "g (float[N,4,6,5] x) => (float[N,4,12,10] y) <float[4] s = {1, 1, 2, 2}> "
            '{ y = Resize <mode = "cubic"> (x, , s) }',
            "Resize_0",
            "mode cubic",
        ),
        (
            "g (float[N,4] x) => (uint8[N,4] y) <float s = {1}, uint8 z = {0}> { y = QuantizeLinear (x, s, z) }",
            "QuantizeLinear_0",
            "UINT8",
        ),
        (
            "g (float[N,4] x) => (int8[N,4] y) <float s = {1}, int8 z = {3}> { y = QuantizeLinear (x, s, z) }",
            "QuantizeLinear_0",
            "y_zero_point must be zero",
        ),
        (
            "g (int32[N,4] x) => (float[N,4] y) <float s = {1}> { y = DequantizeLinear (x, s) }",
            "DequantizeLinear_0",
            "INT32, expected INT8",
        ),
        ("g (int32[N,4] x) => (int32[N,4] y) <int32 n = {1}> { y = Clip (x, n) }", "Clip_0", "INT32, expected FP32"),
    ],
)
def test_what_it_cannot_read_is_found(body: str, layer: str, reason: str) -> None:
    opset = 15 if "Bernoulli" in body else 13
    found = [each for each in unsupported(parse(body, opset)) if each.layer]
    assert {each.layer for each in found} == {layer}
    assert any(reason in each.reason for each in found)


def test_weights_may_come_through_a_q_dq_pair() -> None:
    body = (
        "g (float[N,1,9,9] x) => (float[N,1,9,9] y) <int8[1,1,1,1] w = {5}, float s = {0.1}, int8 z = {0}> "
        "{ v = DequantizeLinear (w, s, z) y = Conv (x, v) }"
    )
    assert unsupported(parse(body)) == []


def test_a_newer_operator_set_is_found() -> None:
    found = unsupported(parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }", 14))
    assert [(each.layer, each.reason) for each in found] == [
        ("", "operator set 14, and TensorRT 8.2 reads sets up to 13")
    ]


def test_the_table_says_where_it_is_from() -> None:
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    assert (table["tensorrt"], table["opset"]) == ("8.2", 13)
    assert table["source"]["repository"] == "onnx/onnx-tensorrt"
    assert len(table["source"]["commit"]) == 40
    known = {schema.name: schema for schema in onnx.defs.get_all_schemas_with_history()}
    own = {"ImageScaler", "ParametricSoftplus", "ScaledTanh"}  # of ONNX's first years
    assert set(table["operators"]) - set(known) <= own
    for operator, entry in table["operators"].items():
        named = {*(entry or {}).get("constant", ()), *(entry or {}).get("zero", ())}
        assert operator in own or named <= {formal.name for formal in known[operator].inputs}
