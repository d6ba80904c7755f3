"""What each node computes in, by the file's types and by flags."""

from __future__ import annotations

from collections import Counter

import pytest

from edgecvar.predict.typing.computing import by_file, by_flags, full_nodes
from edgecvar.predict.typing.inference import infer_types
from edgecvar.predict.typing.reading import read_stated
from edgecvar.predict.typing.survey import given_graph
from tests.predict.typing.written import Call, quantised, swish_chain, written

SWISHES = 41
"""As many as the published case has: 41 Sigmoid and 41 Mul in fp32 beside fp32 scales."""


def wide(nodes):
    return Counter(node.operator for node in nodes if node.type == "fp32")


def test_strongly_typed_scales_of_fp32_take_all_around_int8_with_them():
    nodes = by_file(given_graph(swish_chain(SWISHES, "fp32")))
    assert wide(nodes) == {"Sigmoid": SWISHES, "Mul": SWISHES}
    assert Counter(node.type for node in nodes) == {"int8": SWISHES, "fp32": 2 * SWISHES}


def test_strongly_typed_scales_of_fp16_leave_none_in_fp32():
    graph = given_graph(swish_chain(SWISHES, "fp16"))
    nodes = by_file(graph)
    assert Counter(node.type for node in nodes) == {"int8": SWISHES, "fp16": 2 * SWISHES}
    assert infer_types(graph).mismatches == ()


def test_by_flags_only_what_the_fp16_file_has_in_fp32_stays():
    graph = given_graph(swish_chain(3, "fp32"))
    assert Counter(node.type for node in by_flags(graph, "int8", frozenset())) == {"int8": 3, "fp16": 6}
    kept = [node.name for node in by_flags(graph, "int8", frozenset({"sigmoid1"})) if node.type == "fp32"]
    assert kept == ["sigmoid1"]


def test_without_an_fp16_file_all_but_int8_and_what_lies_beside_it_stays_fp32():
    nodes = by_flags(given_graph(swish_chain(2, "fp32")), "int8")
    assert {node.name: node.type for node in nodes} == {
        "conv0": "int8",
        "sigmoid0": "fp32",
        "mul0": "fp16",  # its output is quantised
        "conv1": "int8",
        "sigmoid1": "fp32",
        "mul1": "fp32",
    }


def island():
    """fp16 but for a sum, between casts; the index of what it gathers is no float."""
    calls = [
        Call("half", "Cast", ["x"], to="fp16"),
        Call("gate", "Sigmoid", ["half"]),
        Call("full", "Cast", ["gate"], to="fp32"),
        Call("sum", "ReduceSum", ["full"]),
        Call("size", "Shape", ["sum"]),
        Call("one", "Gather", ["size", "index"]),
        Call("narrow", "Cast", ["sum"], to="fp16"),
        Call("root", "Sqrt", ["narrow"]),
        Call("y", "Cast", ["root"], to="fp32"),
    ]
    return read_stated(written(calls, {"index": "int64"}, {"x": "fp32"}, "y"))


@pytest.mark.parametrize("compute", [by_file, lambda graph: by_flags(graph, "fp16")])
def test_an_island_of_fp32_stays_either_way_and_what_has_no_floats_is_not_counted(compute):
    assert {node.name: node.type for node in compute(island())} == {"gate": "fp16", "sum": "fp32", "root": "fp16"}
    assert full_nodes(island()) == {"sum"}


def test_fp32_is_fp32_whatever_the_flags():
    assert {node.type for node in by_flags(island(), "fp32")} == {"fp32"}


def test_a_layer_is_int8_only_where_both_its_operands_are_dequantised():
    constants = {"zero": "int8", "plain": "fp32"}
    calls = [*quantised("Gemm", 0, "x", "fp32", constants), Call("y", "MatMul", ["d0", "plain"])]
    graph = read_stated(written(calls, constants, {"x": "fp32"}, "y"))
    assert {node.name: node.type for node in by_file(graph)} == {"conv0": "int8", "y": "fp32"}
    assert {node.name: node.type for node in by_flags(graph, "int8")} == {"conv0": "int8", "y": "fp16"}
