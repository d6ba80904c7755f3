"""The types that an ONNX file states, read in its own bytes: of inputs, constants and what nodes are told to make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Tuple

from edgecvar.runners.onnx_fields import (
    ATTRIBUTE,
    ATTRIBUTE_FLOAT,
    ATTRIBUTE_FLOATS,
    ATTRIBUTE_INT,
    ATTRIBUTE_INTS,
    ATTRIBUTE_NAME,
    ATTRIBUTE_TENSOR,
    DATA_TYPE,
    ELEMENT_TYPE,
    INITIALIZER,
    INPUT,
    INPUT_OF_GRAPH,
    NODE,
    NODE_NAME,
    OPERATOR,
    OUTPUT,
    OUTPUT_OF_GRAPH,
    TENSOR_NAME,
    TENSOR_TYPE,
    VALUE_NAME,
    VALUE_TYPE,
    graph_fields,
    text_of,
)
from edgecvar.runners.protobuf import Bytes, read_fields, read_varint

TYPES: Dict[int, str] = {
    1: "fp32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "fp16",
    11: "fp64",
    16: "bf16",
}
"""TensorProto.DataType; others are unknown, an empty text."""

UNKNOWN = ""


@dataclass(frozen=True)
class StatedNode:
    """An operator's call; `states`: the type that its attributes ask for, as a Cast's and a Constant's do."""

    name: str
    operator: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    states: str = UNKNOWN


@dataclass(frozen=True)
class StatedGraph:
    """Nodes in the file's order, the types of inputs and constants by name, and the names of its outputs."""

    nodes: Tuple[StatedNode, ...]
    types: Mapping[str, str]
    outputs: Tuple[str, ...]


def read_stated(model: bytes) -> StatedGraph:
    """What an ONNX file states; raises ValueError where it is none."""
    nodes: List[StatedNode] = []
    types: Dict[str, str] = {}
    outputs: List[str] = []
    for field in graph_fields(model):
        if field.number == NODE:
            nodes.append(_node(field.content))
        elif field.number == INITIALIZER:
            types[text_of(field.content, TENSOR_NAME)] = _type(field.content, DATA_TYPE)
        elif field.number == INPUT_OF_GRAPH:
            # An initializer that is listed among the inputs too has one type.
            types.setdefault(text_of(field.content, VALUE_NAME), _value_type(field.content))
        elif field.number == OUTPUT_OF_GRAPH:
            outputs.append(text_of(field.content, VALUE_NAME))
    if not nodes:
        raise ValueError("no ONNX file, or one without nodes")
    return StatedGraph(tuple(nodes), types, tuple(outputs))


def _node(content: Bytes) -> StatedNode:
    inputs: List[str] = []
    outputs: List[str] = []
    name = operator = states = UNKNOWN
    for field in read_fields(content):
        if field.number in (INPUT, OUTPUT):
            (inputs if field.number == INPUT else outputs).append(field.text)
        elif field.number == NODE_NAME:
            name = field.text
        elif field.number == OPERATOR:
            operator = field.text
        elif field.number == ATTRIBUTE:
            states = _stated(field.content) or states
    return StatedNode(name or (outputs[0] if outputs else ""), operator, tuple(inputs), tuple(outputs), states)


def _stated(attribute: Bytes) -> str:
    """The type that an attribute asks for: `to` of a Cast, or the value of a Constant or ConstantOfShape."""
    name = text_of(attribute, ATTRIBUTE_NAME)
    if name == "to":
        return _type(attribute, ATTRIBUTE_INT)
    if name != "value" and not name.startswith("value_"):
        return UNKNOWN
    for field in read_fields(attribute):
        if field.number == ATTRIBUTE_TENSOR:
            return _type(field.content, DATA_TYPE)
        if field.number in (ATTRIBUTE_FLOAT, ATTRIBUTE_FLOATS):
            return "fp32"
        if field.number in (ATTRIBUTE_INT, ATTRIBUTE_INTS):
            return "int64"
    return UNKNOWN


def _value_type(value: Bytes) -> str:
    for number in (VALUE_TYPE, TENSOR_TYPE):
        value = next((field.content for field in read_fields(value) if field.number == number), b"")
    return _type(value, ELEMENT_TYPE)


def _type(message: Bytes, number: int) -> str:
    kind = next((field.content for field in read_fields(message) if field.number == number), None)
    return UNKNOWN if kind is None else TYPES.get(read_varint(kind, 0)[0], UNKNOWN)
