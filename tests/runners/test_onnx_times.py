"""Times by node of ONNX Runtime: those of a real session, and traces written here."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import BundleError
from edgecvar.runners.layer_times import LayerClock
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.runners.onnx_nodes import read_nodes
from edgecvar.runners.onnx_times import read_trace
from tests.tiny_bundle import tiny_bundle

FUSED = {name: np.ones((1, size), np.float32) for name, size in zip(("appearance", "adjacent", "residual"), (3, 3, 3))}
FUSED["motion"] = np.ones((1, 2), np.float32)


def node(name, microseconds, operator="Conv", types=({"float": [1, 3]},)):
    arguments = {"op_name": operator, "input_type_shape": list(types)}
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": microseconds, "args": arguments}


RUN = {"cat": "Session", "name": "model_run", "dur": 1}


def read(*events, known=("conv", "gate")):
    return read_trace(json.dumps(events), frozenset(known))


def test_a_session_tells_its_nodes_and_leaves_no_file(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    bundle = open_bundle(tiny_bundle(tmp_path))
    with OnnxRunner(bundle, threads=1) as runner:
        assert isinstance(runner, LayerClock)
        timed = runner.layer_times("fuse", FUSED, 3)
    known = {each.name for each in read_nodes(bundle.stage_file("fuse", "fp32").read_bytes())}
    assert (timed.runs, timed.complaint) == (3, "") and timed.layers
    assert {kind for layer in timed.layers for kind in [layer.precision]} == {"fp32"}
    assert all(layer.ms >= 0 and layer.kind for layer in timed.layers)
    assert {name for layer in timed.layers for name in layer.nodes} <= known
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_inputs_that_do_not_fit_are_one_error(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    runner = OnnxRunner(open_bundle(tiny_bundle(tmp_path)), threads=1)
    with runner, pytest.raises(BundleError, match="stage fuse: no times of its layers") as caught:
        runner.layer_times("fuse", {"motion": FUSED["motion"]}, 3)
    assert "\n" not in str(caught.value)
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_the_first_run_does_not_count_and_the_median_does():
    runs = [[node("conv", ms * 1000), RUN] for ms in (100, 1, 3, 2)]
    timed = read(*(event for run in runs for event in run))
    assert timed.runs == 3 and [layer.ms for layer in timed.layers] == [2.0]


def test_a_node_of_its_own_is_known_by_what_it_was_made_of():
    names = ("conv_nchwc", "InsertedPrecisionFreeCast_gate_nchwc", "fused conv", "ReorderOutput_token_3", "other")
    timed = read(*[node(name, 1) for name in names], RUN, *[node(name, 1) for name in names], RUN)
    assert [layer.nodes for layer in timed.layers] == [("conv",), ("gate",), ("conv",), (), ()]
    assert [layer.name for layer in timed.layers] == list(names)


def test_the_type_is_that_of_the_first_input():
    types = {"q": ({"uint8": [1]}, {"float": []}), "h": ({"float16": [1]},), "none": (), "bad": ("float",)}
    events = [node(name, 1, types=given) for name, given in types.items()]
    timed = read(*events, RUN, *events, RUN)
    assert {layer.name: layer.precision for layer in timed.layers} == {"q": "int8", "h": "fp16", "none": "", "bad": ""}


@pytest.mark.parametrize("trace", ["", "{}", "[1, null]", '[{"cat": "Node"}]', '[{"cat": "Node", "name": 3}]'])
def test_a_trace_of_nothing_is_a_complaint(trace):
    timed = read_trace(trace, frozenset())
    assert timed.layers == () and "trace" in timed.complaint and "\n" not in timed.complaint
