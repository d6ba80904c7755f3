"""The type of each tensor, and where a parser would refuse."""

from __future__ import annotations

import pytest

from edgecvar.predict.typing.inference import infer_types
from edgecvar.predict.typing.reading import read_stated
from tests.predict.typing.written import Call, quantised, written

CONSTANTS = {"h": "fp16", "f": "fp32", "i": "int64", "z": "int8", "b": "bool"}


def inferred(*calls: Call):
    stored = {name: kind for name, kind in CONSTANTS.items() if kind != "bool"}
    return infer_types(read_stated(written(calls, stored, {"x": "fp32", "b": "bool"}, calls[-1].output)))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Call("y", "DequantizeLinear", ["z", "h", "z"]), "fp16"),
        (Call("y", "DequantizeLinear", ["z", "f", "z"]), "fp32"),
        (Call("y", "QuantizeLinear", ["x", "f", "z"]), "int8"),
        (Call("y", "QuantizeLinear", ["x", "f"]), "uint8"),
        (Call("y", "Cast", ["x"], to="fp16"), "fp16"),
        (Call("y", "Shape", ["h"]), "int64"),
        (Call("y", "Greater", ["h", "h"]), "bool"),
        (Call("y", "Where", ["b", "h", "h"]), "fp16"),
        (Call("y", "Gather", ["h", "i"]), "fp16"),
        (Call("y", "Reshape", ["f", "i"]), "fp32"),
        (Call("y", "Resize", ["h", "", "f"]), "fp16"),
        (Call("y", "Concat", ["i", "i"]), "int64"),
        (Call("y", "Relu", ["nobody"]), ""),
    ],
)
def test_what_an_operator_gives(call, expected):
    found = inferred(call)
    assert found.types["y"] == expected and found.mismatches == ()


@pytest.mark.parametrize(
    "call",
    [
        Call("y", "Mul", ["h", "f"]),
        Call("y", "Conv", ["x", "h"]),
        Call("y", "Gemm", ["h", "h", "f"]),
        Call("y", "Concat", ["h", "f"]),
        Call("y", "Clip", ["h", "f", "f"]),
        Call("y", "QuantizeLinear", ["x", "h", "z"]),
        Call("y", "Where", ["b", "h", "x"]),
    ],
)
def test_operands_of_two_types_are_refused_with_their_names(call):
    (mismatch,) = inferred(call).mismatches
    assert (mismatch.node, mismatch.operator) == ("y", call.operator)
    assert {kind for _, kind in mismatch.operands} == {"fp16", "fp32"}
    assert str(mismatch).startswith(f"node y ({call.operator}) reads tensors of several types: ")
    assert all(f"{name} is {kind}" in str(mismatch) for name, kind in mismatch.operands)


def test_a_forgotten_scale_is_found_where_its_layer_meets_the_others():
    constants = dict.fromkeys(("s0", "t0"), "fp16")
    calls = quantised("Conv", 0, "half", "fp16", constants)
    constants.update(zero="int8", t0="fp32")
    whole = [Call("half", "Cast", ["x"], to="fp16"), *calls]
    (mismatch,) = infer_types(read_stated(written(whole, constants, {"x": "fp32"}, "conv0"))).mismatches
    assert (mismatch.node, dict(mismatch.operands)) == ("conv0", {"d0": "fp16", "e0": "fp32"})
