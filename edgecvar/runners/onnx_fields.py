"""The numbers of ONNX's fields: what every reader of a file's own bytes goes by.

ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto and ValueInfoProto of ONNX's onnx.proto.
"""

from __future__ import annotations

from typing import Iterator, List

from edgecvar.runners.protobuf import Bytes, Field, read_fields, read_varint

GRAPH = 7
NODE, INITIALIZER, INPUT_OF_GRAPH, OUTPUT_OF_GRAPH = 1, 5, 11, 12
INPUT, OUTPUT, NODE_NAME, OPERATOR, ATTRIBUTE = 1, 2, 3, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_TEXT, ATTRIBUTE_TENSOR = 1, 2, 3, 4, 5
ATTRIBUTE_FLOATS, ATTRIBUTE_INTS, ATTRIBUTE_TYPE = 7, 8, 20
DIMS, DATA_TYPE, TENSOR_NAME, RAW_DATA = 1, 2, 8, 9
VALUE_NAME, VALUE_TYPE, TENSOR_TYPE, ELEMENT_TYPE = 1, 2, 1, 1


def graph_fields(model: Bytes) -> Iterator[Field]:
    """The fields of a model's graph; raises ValueError where the bytes are no message."""
    for field in read_fields(model):
        if field.number == GRAPH:
            yield from read_fields(field.content)


def text_of(message: Bytes, number: int) -> str:
    """The first text of that number; empty where there is none."""
    return next((field.text for field in read_fields(message) if field.number == number), "")


def numbers_in(content: Bytes) -> List[int]:
    """One number, or several that are packed."""
    values, at = [], 0
    while at < len(content):
        value, at = read_varint(content, at)
        values.append(value - (1 << 64) if value >> 63 else value)
    return values
