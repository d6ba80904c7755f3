"""Times by layer: what each generation is asked, what its inspector says, and what is made of both."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgecvar.errors import BundleError, DeviceError
from edgecvar.runners.layer_times import LayerClock, LayerTally
from edgecvar.runners.tensorrt.layer_times import LONGEST, read_inspection, timed_layers
from tests.runners.tensorrt.played_tensorrt import STAGES
from tests.runners.tensorrt.running import prepared, runner_of, scores, walk

CONVOLUTION = {
    "Name": "node_of_fused + relu",
    "LayerType": "CaskConvolution",
    "Inputs": [{"Name": "x", "Dimensions": [1, 3, 4, 4], "Format/Datatype": "Channel major FP16 format of 8"}],
    "Outputs": [{"Name": "y", "Dimensions": [1, 8, 4, 4], "Format/Datatype": "Row major linear FP32"}],
    "Weights": {"Type": "Half", "Count": 216},
    "TacticName": "sm87_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc",
    "TacticValue": "0x11bde0e1d9f2f35d",
}
"""As TensorRT 8.2's guide shows one, by the names of tests' nodes."""
LATER = {
    **CONVOLUTION,
    "Name": "__myl_Conv_0",
    "LayerType": "gemm",
    "Inputs": [{"Name": "x", "Format/Datatype": "Int8"}],
    "Metadata": "[ONNX Layer: node_of_fused]\x1f[ONNX Layer: relu | inner (function)]\x1f[ONNX Layer: elsewhere]",
}
"""As versions with metadata have them, parts between unit separators."""
NODES = frozenset({"fused", "relu", "scale", "gate", "sum"})


def inspection(*layers):
    return json.dumps({"Layers": list(layers), "Bindings": ["x", "y"]})


def tally_of(*runs):
    tally = LayerTally()
    for run in runs:
        for name, ms in run:
            tally.add(name, ms)
        tally.end_run()
    return tally


def test_layers_are_timed_without_a_graph_and_told_apart(played):
    played.told["motion"] = [("first", 0.25), ("second", 0.5), ("first", 0.25)]
    played.inspected["motion"] = inspection({**CONVOLUTION, "Name": "first"}, {"Name": "second", "LayerType": "Kgen"})
    with runner_of(played) as runner:
        assert isinstance(runner, LayerClock)
        before = scores(runner, range(3))  # graphs are captured by then
        inputs = {"motion": prepared(0)["motion"]}
        graphs = played.cuda.names().count("launch graph")
        timed = runner.layer_times("motion", inputs, 4)
        assert played.cuda.names().count("launch graph") == graphs
        assert np.array_equal(scores(runner, range(3)), before)
        assert played.cuda.names().count("launch graph") == graphs + 3 * len(STAGES)
    assert [(layer.name, layer.ms) for layer in timed.layers] == [("first", 0.5), ("second", 0.5)]
    assert (timed.runs, timed.complaint) == (4, "")
    assert [(layer.kind, layer.precision) for layer in timed.layers] == [("CaskConvolution", "fp16"), ("Kgen", "")]


def test_the_profiler_is_asked_after_each_run_and_gone_afterwards(played):
    played.told["motion"] = [("only", 1.0)]
    with runner_of(played, cuda_graphs=False) as runner:
        runner.layer_times("motion", {"motion": prepared(0)["motion"]}, 2)
        walk(runner, 0)
    names = played.fake.names
    settings = [(call.name.split(".")[1], call.arguments[0]) for call in played.fake.calls if call.name.endswith(" =")]
    profilers = [value for name, value in settings if name == "profiler ="]
    assert isinstance(profilers[0], played.fake.module.IProfiler) and profilers[1:] == [None]
    assert [value for name, value in settings if name == "enqueue_emits_profile ="] == [False, True]
    asked = [name for name in names if "execute_async" in name or name.endswith("report_to_profiler")]
    assert [name.endswith("report_to_profiler") for name in asked] == [False, True] * 3 + [False] * len(STAGES)


def test_engines_are_built_with_what_the_inspector_needs(played):
    with runner_of(played):
        pass
    asked = played.fake.of("IBuilderConfig.profiling_verbosity =")
    assert {call.arguments[0] for call in asked} == {played.fake.module.ProfilingVerbosity.DETAILED}
    assert len(asked) == len(STAGES)


def test_inputs_may_be_what_launches_gave(played):
    played.told["fuse"] = [("product", 0.5)]
    with runner_of(played) as runner:
        inputs = {name: prepared(0)[name] for name in ("image", "motion", "residual")}
        image = runner.launch("appearance", {"image": inputs["image"]})
        rest = {name: runner.launch(name, {name: inputs[name]}) for name in ("motion", "residual")}
        timed = runner.layer_times("fuse", {"appearance": image, "adjacent": image, **rest}, 1)
    assert [layer.name for layer in timed.layers] == ["product"]


def test_what_cannot_be_timed_is_one_error_and_leaves_the_stage_usable(played):
    inputs = {"motion": prepared(0)["motion"]}
    with runner_of(played) as runner:
        with pytest.raises(BundleError, match="expected motion"):
            runner.layer_times("motion", {"image": inputs["motion"]}, 1)
        before = played.fake.answers["IExecutionContext.report_to_profiler"]
        played.fake.answers["IExecutionContext.report_to_profiler"] = False
        with pytest.raises(DeviceError, match="tells no times of its layers") as caught:
            runner.layer_times("motion", inputs, 1)
        assert "\n" not in str(caught.value)
        played.fake.answers["IExecutionContext.report_to_profiler"] = before
        played.told["motion"] = [("only", 1.0)]
        assert runner.layer_times("motion", inputs, 1).runs == 1


@pytest.mark.parametrize(
    ("inspected", "complaint"),
    [
        ("", "cannot be read"),
        ("[1]", "no list of layers"),
        ('{"Layers": {"Name": "only"}}', "no list of layers"),
        ('{"Layers": [' + "[" * 100_000, "cannot be read"),
        ('{"Layers": ["only", 3, null, {"Name": 4}]}', "names its layers and no more"),
    ],
)
def test_an_inspector_that_tells_nothing_leaves_the_times(inspected, complaint):
    timed = timed_layers(tally_of([("only", 1.0)], [("only", 3.0)]), inspected, NODES)
    assert complaint in timed.complaint and "\n" not in timed.complaint
    assert [(layer.name, layer.ms, layer.kind) for layer in timed.layers] == [("only", 2.0, "")]


def test_a_profiler_that_is_told_nothing_is_a_complaint():
    timed = timed_layers(tally_of([]), inspection(CONVOLUTION), NODES)
    assert timed.layers == () and "no layer" in timed.complaint


def test_nodes_come_from_metadata_or_else_from_the_name():
    found = read_inspection(inspection(CONVOLUTION, LATER, "PWN(PWN(scale, gate), sum) [profile 1]"), NODES)
    by_name, by_metadata, pointwise = found.values()
    assert (by_name.nodes, by_name.precision, by_name.kind) == (("fused", "relu"), "fp16", "CaskConvolution")
    assert by_name.tactic.startswith("sm87_xmma_fprop")
    assert (by_metadata.nodes, by_metadata.precision, by_metadata.kind) == (("fused", "relu"), "int8", "gemm")
    assert pointwise.nodes == ("scale", "gate", "sum")


@pytest.mark.parametrize(
    ("types", "precision"),
    [
        ("Half", "fp16"),
        ("Float", "fp32"),
        ("Int8", "int8"),
        ("BF16", "bf16"),
        ("FP8", "fp8"),
        ("Thirty-two wide channel vectorized row major Int8 format.", "int8"),
        ("Row major linear FP32", "fp32"),
        ("Channel major FP16 format where channel % 4 == 0", "fp16"),
        ("N/A due to dynamic shapes", ""),
    ],
)
def test_the_words_of_each_version_for_a_type(types, precision):
    (layer,) = read_inspection(inspection({"Name": "x", "Inputs": [{"Format/Datatype": types}]}), NODES).values()
    assert layer.precision == precision


def test_a_layer_of_another_profile_is_found_by_its_plain_name():
    timed = timed_layers(tally_of([("node_of_fused + relu [profile 1]", 1.0)]), inspection(CONVOLUTION), NODES)
    assert timed.layers[0].kind == "CaskConvolution" and timed.layers[0].name.endswith("[profile 1]")


def test_names_are_printable_and_bounded():
    name = "\x1b[2J\ud800" + "x" * 1000
    timed = timed_layers(tally_of([(name, 1.0)]), inspection({"Name": name, "LayerType": "a\nb"}), NODES)
    (layer,) = timed.layers
    assert layer.name.isprintable() and len(layer.name) == LONGEST and layer.kind == "a\\nb"


def test_an_engine_of_too_many_layers_is_bounded():
    tally = LayerTally(most=2)
    for name in ("a", "b", "c", "a"):
        tally.add(name, 1.0)
    tally.end_run()
    assert tally.medians() == {"a": 2.0, "b": 1.0}
