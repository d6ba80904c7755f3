"""ONNX files in few words, written in bytes: the device half is tested without the onnx package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Sequence, Tuple

import numpy as np

from edgecvar.runners.protobuf import bytes_field, number_field

NUMBERS = {"fp32": 1, "int8": 3, "int64": 7, "bool": 9, "fp16": 10}
STORED = {"fp32": "<f4", "int8": "i1", "int64": "<i8", "fp16": "<f2"}


@dataclass(frozen=True)
class Call:
    """A node: its name is its output's, too; `to` is a Cast's."""

    output: str
    operator: str
    inputs: Sequence[str]
    to: str = ""


def written(calls: Sequence[Call], constants: Dict[str, str], inputs: Dict[str, str], output: str) -> bytes:
    """A model; constants and inputs by name with their types, each constant of one element."""
    parts = [bytes_field(1, _node(call)) for call in calls]
    parts += [bytes_field(5, _constant(name, kind)) for name, kind in constants.items()]
    parts += [bytes_field(11, _value(name, kind)) for name, kind in inputs.items()]
    parts.append(bytes_field(12, bytes_field(1, output.encode())))
    return bytes_field(7, b"".join(parts))


def swish_chain(count: int, scale: str) -> bytes:
    """`count` convolutions in int8 with a swish behind each, all scales of one type; the input and output are fp32."""
    calls, constants = [], {"zero": "int8"}
    here = "picture"
    if scale == "fp16":
        calls.append(Call("cast", "Cast", ["picture"], to="fp16"))
        here = "cast"
    for place in range(count):
        calls += quantised("Conv", place, here, scale, constants)
        calls.append(Call(f"sigmoid{place}", "Sigmoid", [f"conv{place}"]))
        here = f"mul{place}"
        calls.append(Call(here, "Mul", [f"conv{place}", f"sigmoid{place}"]))
    if scale == "fp16":
        calls.append(Call("back", "Cast", [here], to="fp32"))
        here = "back"
    return written(calls, constants, {"picture": "fp32"}, here)


def quantised(operator: str, place: int, read: str, scale: str, constants: Dict[str, str]) -> Tuple[Call, ...]:
    """A layer `conv<place>` between scales; its constants are added."""
    names = {f"s{place}": scale, f"w{place}": "int8", f"t{place}": scale}
    constants.update(names)
    stored, weight, other = f"s{place}", f"w{place}", f"t{place}"
    return (
        Call(f"q{place}", "QuantizeLinear", [read, stored, "zero"]),
        Call(f"d{place}", "DequantizeLinear", [f"q{place}", stored, "zero"]),
        Call(f"e{place}", "DequantizeLinear", [weight, other, "zero"]),
        Call(f"conv{place}", operator, [f"d{place}", f"e{place}"]),
    )


def _node(call: Call) -> bytes:
    parts = [bytes_field(1, name.encode()) for name in call.inputs]
    parts += [bytes_field(2, call.output.encode()), bytes_field(3, call.output.encode())]
    parts.append(bytes_field(4, call.operator.encode()))
    if call.to:
        attribute = bytes_field(1, b"to") + number_field(3, NUMBERS[call.to]) + number_field(20, 2)
        parts.append(bytes_field(5, attribute))
    return b"".join(parts)


def _constant(name: str, kind: str) -> bytes:
    raw = np.ones((), STORED[kind]).tobytes()
    return number_field(2, NUMBERS[kind]) + bytes_field(8, name.encode()) + bytes_field(9, raw)


def _value(name: str, kind: str) -> bytes:
    tensor = number_field(1, NUMBERS[kind])
    return bytes_field(1, name.encode()) + bytes_field(2, bytes_field(1, tensor))
