"""A stage's graph as it is read: every tensor as ONNX Runtime computes it, every attribute as it was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import BundleError
from edgecvar.predict.graph import Tensor, read_graph
from edgecvar.runners.onnx import onnx_runtime
from edgecvar.runners.onnx_nodes import read_nodes, with_outputs
from tests.predict.onnx_file import OnnxFile
from tests.tiny_bundle import tiny_bundle, tiny_clip_bundle, tiny_state_bundle


def computed(model: bytes) -> dict:
    """Shape and type of every input and of all that a graph makes of a batch of 1, by running it."""
    names = [name for node in read_nodes(model) for name in node.outputs if name]
    session = onnx_runtime().InferenceSession(with_outputs(model, names), providers=["CPUExecutionProvider"])
    given = {}
    for each in session.get_inputs():
        shape = [side if isinstance(side, int) else 1 for side in each.shape]
        given[each.name] = np.random.default_rng(0).random(shape, np.float32)
    arrays = zip(names, session.run(names, given))
    return {name: (array.shape, str(array.dtype)) for name, array in (*given.items(), *arrays)}


def folded(segments: int = 4) -> bytes:
    """(B, T, 3, 8, 8): T pictures through one convolution as a batch, then the mean of them."""
    file = OnnxFile(clip=[segments, 3, 8, 8])
    pictures = file.call("Reshape", "clip", file.stored(np.array([-1, 3, 8, 8], np.int64)))
    maps = file.call("Relu", file.conv(pictures, (16, 3, 3, 3), strides=[2, 2]))
    means = file.call("GlobalAveragePool", maps)
    apart = file.call("Reshape", means, file.stored(np.array([-1, segments, 16], np.int64)))
    return file.content(file.call("ReduceMean", apart, name="mean", axes=[1], keepdims=0))


def stages(root: Path) -> list:
    """Every file of a bundle."""
    bundle = open_bundle(root)
    return [root / each.path for each in bundle.manifest.files]


def holds(model: bytes) -> None:
    graph = read_graph(model)
    assert {
        name: (tensor.shape, tensor.dtype) for name, tensor in graph.tensors.items() if not tensor.constant
    } == computed(model)


@pytest.mark.parametrize("make", [tiny_bundle, lambda folder: tiny_clip_bundle(folder, 3), tiny_state_bundle])
def test_tensors_of_tiny_stages_are_what_is_computed(tmp_path, make):
    files = stages(make(tmp_path))
    assert files
    for file in files:
        holds(file.read_bytes())


def test_tensors_of_the_shipped_bundle_are_what_is_computed():
    files = stages(default_bundle())
    assert len(files) > 1
    for file in files:
        holds(file.read_bytes())


def test_a_batch_folded_into_segments_is_found_by_a_run():
    holds(folded())
    tensors = read_graph(folded()).tensors
    assert tensors["reshape0"].shape == (4, 3, 8, 8)
    assert tensors["mean"] == Tensor((1, 16), "float32")


def test_a_tensors_bytes_are_of_its_type_and_stored_ones_are_marked():
    file = OnnxFile(x=[3, 8, 8])
    file.call("Cast", file.conv("x", (4, 3, 3, 3), name="y"), name="half", to=10)
    tensors = read_graph(file.content("half")).tensors
    assert (tensors["y"].elements, tensors["y"].bytes, tensors["half"].bytes) == (256, 1024, 512)
    assert tensors["stored0"] == Tensor((4, 3, 3, 3), "float32", constant=True)


@pytest.mark.parametrize("packed", [False, True])
def test_attributes_are_read_negative_and_packed(packed):
    file = OnnxFile(packed=packed, x=[4, 6, 6])
    there = file.call("Concat", "x", "x", name="there", axis=-3)
    small = file.call("LeakyRelu", there, name="small", alpha=-0.25)
    file.call("ReduceMean", small, name="mean", axes=[-2, -1], keepdims=0)
    file.call("Upsample", small, name="wide", mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])
    nodes = {node.name: node for each in ("mean", "wide") for node in read_graph(file.content(each, opset=8)).nodes}
    assert nodes["there"].attributes == {"axis": -3}
    assert nodes["small"].attributes == {"alpha": -0.25}
    assert nodes["mean"].attributes == {"axes": (-2, -1), "keepdims": 0}
    assert nodes["wide"].attributes == {"mode": "nearest", "scales": (1.0, 1.0, 2.0, 2.0)}


def test_who_makes_and_who_reads_a_tensor():
    file = OnnxFile(x=[2, 4, 4])
    square = file.call("Mul", "x", "x", name="square")
    file.call("Add", square, "x", name="sum")
    graph = read_graph(file.content("sum"))
    assert (graph.inputs, graph.outputs) == (("x",), ("sum",))
    assert [node.name for node in graph.readers()["x"]] == ["square", "sum"]
    assert graph.makers()["square"].operator == "Mul" and "x" not in graph.makers()


@pytest.mark.parametrize("content", [b"", b"no graph at all", b"\x3a\x05\x00", b"\xff" * 40])
def test_what_is_no_graph_is_one_line(content):
    with pytest.raises(BundleError, match="stage x: its graph cannot be read") as caught:
        read_graph(content, "stage x")
    assert "\n" not in str(caught.value) and "compile the bundle again" in str(caught.value)


def test_a_graph_that_cannot_run_is_one_line():
    file = OnnxFile(x=[2, 4, 4])
    with pytest.raises(BundleError, match="its graph cannot be read") as caught:
        read_graph(file.content(file.call("NoSuchOperator", "x")))
    assert "\n" not in str(caught.value)
