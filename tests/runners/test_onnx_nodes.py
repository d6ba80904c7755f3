"""The numbers of an ONNX file's nodes, read without the onnx package."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecvar.runners.onnx_nodes import OnnxNode, read_nodes
from tests.tiny_bundle import fuse_model, mean_model

MODEL = fuse_model([("appearance", [5]), ("motion", [2])], 3)


def test_nodes_come_in_their_order():
    assert read_nodes(MODEL) == [OnnxNode("all", "Concat", ("all",)), OnnxNode("scores", "Gemm", ("scores",))]
    assert read_nodes(mean_model(("image", [3, 32, 32]), "mean")) == [OnnxNode("mean", "ReduceMean", ("mean",))]


def test_a_name_comes_before_an_output():
    node = b"\x12\x03out\x1a\x05named\x22\x04Conv"
    graph = b"\x0a" + bytes([len(node)]) + node
    assert read_nodes(b"\x3a" + bytes([len(graph)]) + graph) == [OnnxNode("named", "Conv", ("out",))]


def test_half_a_file_is_an_error():
    with pytest.raises(ValueError, match="longer than the message"):
        read_nodes(MODEL[: len(MODEL) // 2])


@given(st.binary(max_size=60), st.integers(0, len(MODEL)))
def test_whatever_the_bytes_it_ends(garbage, at):
    try:
        nodes = read_nodes(MODEL[:at] + garbage)
    except ValueError:
        return
    assert all(isinstance(node, OnnxNode) for node in nodes)
