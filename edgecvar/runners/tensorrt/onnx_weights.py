"""int8 weights of an ONNX file as TensorRT reads them: a device has no onnx package, so in the file's own bytes.

The bundle stores weights as int8 for their size; TensorRT 8 refuses int8 constants, and a cast between a constant and
the layer that it belongs to. The values stay what they are: a multiple of the scale quantises to itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Set, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.runners.onnx_fields import (
    ATTRIBUTE,
    ATTRIBUTE_INT,
    ATTRIBUTE_NAME,
    ATTRIBUTE_TYPE,
    DATA_TYPE,
    DIMS,
    GRAPH,
    INITIALIZER,
    INPUT,
    NODE,
    NODE_NAME,
    OPERATOR,
    OUTPUT,
    RAW_DATA,
    TENSOR_NAME,
    numbers_in,
    text_of,
)
from edgecvar.runners.protobuf import Bytes, bytes_field, number_field, read_fields, read_varint

FLOAT, INT8, FLOAT16 = 1, 3, 10
ATTRIBUTE_IS_INT = 2
TYPES: Dict[int, np.dtype] = {FLOAT: np.dtype("<f4"), INT8: np.dtype("i1"), FLOAT16: np.dtype("<f2")}


def plain_weights(model: bytes) -> bytes:
    """Weights in int8 layers become constants before QuantizeLinear, those in others constants of the layer's type.

    Raises ValueError where `model` is not an ONNX file. A file without int8 weights comes back as it is.
    """
    return b"".join(
        bytes_field(GRAPH, _plain_graph(field.content)) if field.number == GRAPH else field.whole
        for field in read_fields(model)
    )


@dataclass(frozen=True)
class _Node:
    """What is asked of a node here; `axis` and `to` are 1 and 0, as in ONNX, where they are left out."""

    inputs: List[str]
    outputs: List[str]
    operator: str
    axis: int
    to: int


class _Rewrite:
    """What becomes of a graph's constants and nodes."""

    def __init__(self, nodes: List[_Node], tensors: Dict[str, Bytes]) -> None:
        self.constants: Dict[str, bytes] = {}
        """By the int8 constant that it replaces, fields of the graph."""
        self.before: Dict[str, bytes] = {}
        """By output, the node that comes before the one that makes it."""
        self.gone: Set[str] = set()
        """Outputs of nodes that are not needed any more."""
        readers: Dict[str, List[_Node]] = {}
        self._dequantised = {node.outputs[0] for node in nodes if node.operator == "DequantizeLinear"}
        for node in nodes:
            for name in node.inputs:
                readers.setdefault(name, []).append(node)
        for node in nodes:
            if node.operator == "DequantizeLinear" and node.inputs[0] in tensors:
                values, axis = _dequantised(node, tensors)
                self._replace(node, values, axis, readers.get(node.outputs[0], []))

    def _replace(self, node: _Node, values: NDArray[Any], axis: Optional[int], readers: List[_Node]) -> None:
        stored, output = node.inputs[0], node.outputs[0]
        if stored in self.constants:
            raise ValueError(f"constant {stored!r} is dequantised twice")
        if readers and all(each.operator == "Cast" and each.to == FLOAT16 for each in readers):
            half = values.astype(np.float16)
            self.constants[stored] = b"".join(_tensor(each.outputs[0], half) for each in readers)
            self.gone |= {output, *(each.outputs[0] for each in readers)}
        elif readers and not any(self._dequantised.intersection(each.inputs) - {output} for each in readers):
            # The layer's activation is not int8, nor is the layer then.
            self.constants[stored] = _tensor(output, values)
            self.gone.add(output)
        else:
            wide = f"{stored}.float"
            self.constants[stored] = _tensor(wide, values)
            self.before[output] = _quantize([wide, *node.inputs[1:]], stored, axis)


def _plain_graph(graph: Bytes) -> bytes:
    fields = list(read_fields(graph))
    nodes = {place: _node(field.content) for place, field in enumerate(fields) if field.number == NODE}
    names = {
        place: text_of(field.content, TENSOR_NAME) for place, field in enumerate(fields) if field.number == INITIALIZER
    }
    rewrite = _Rewrite(list(nodes.values()), {name: fields[place].content for place, name in names.items()})
    parts: List[Bytes] = []
    for place, field in enumerate(fields):
        output = "".join(nodes[place].outputs[:1]) if place in nodes else ""
        if output not in rewrite.gone:
            parts += [rewrite.before.get(output, b""), rewrite.constants.get(names.get(place, "")) or field.whole]
    return b"".join(parts)


def _dequantised(node: _Node, tensors: Dict[str, Bytes]) -> Tuple[NDArray[Any], Optional[int]]:
    """The values of a constant, of its scale's type, and the axis of its scales, None where there is one for all."""
    levels, scale = (_values(tensors[name]) for name in node.inputs[:2])
    shape = [-1 if at == node.axis else 1 for at in range(levels.ndim)] if scale.ndim else []
    values = levels.astype(np.float32) * scale.astype(np.float32).reshape(shape)
    return values.astype(scale.dtype), node.axis if scale.ndim else None


def _quantize(inputs: List[str], output: str, axis: Optional[int]) -> bytes:
    """A QuantizeLinear node as a field of the graph."""
    parts = [bytes_field(INPUT, name.encode()) for name in inputs]
    parts += [bytes_field(OUTPUT, output.encode()), bytes_field(NODE_NAME, f"{output}.QuantizeLinear".encode())]
    parts.append(bytes_field(OPERATOR, b"QuantizeLinear"))
    if axis is not None:
        value = number_field(ATTRIBUTE_INT, axis) + number_field(ATTRIBUTE_TYPE, ATTRIBUTE_IS_INT)
        parts.append(bytes_field(ATTRIBUTE, bytes_field(ATTRIBUTE_NAME, b"axis") + value))
    return bytes_field(NODE, b"".join(parts))


def _tensor(name: str, values: NDArray[Any]) -> bytes:
    """An initializer as a field of the graph."""
    kind = FLOAT16 if values.dtype == np.float16 else FLOAT
    dims = b"".join(number_field(DIMS, size) for size in values.shape)
    typed = number_field(DATA_TYPE, kind)
    raw = np.ascontiguousarray(values, TYPES[kind]).tobytes()
    return bytes_field(INITIALIZER, dims + typed + bytes_field(TENSOR_NAME, name.encode()) + bytes_field(RAW_DATA, raw))


def _values(tensor: Bytes) -> NDArray[Any]:
    shape: List[int] = []
    kind = 0
    raw: Bytes = b""
    for field in read_fields(tensor):
        if field.number == DIMS:
            shape += numbers_in(field.content)
        elif field.number == DATA_TYPE:
            kind, _ = read_varint(field.content, 0)
        elif field.number == RAW_DATA:
            raw = field.content
    if kind not in TYPES:
        raise ValueError(f"constant {text_of(tensor, TENSOR_NAME)!r} has type {kind}")
    return np.frombuffer(raw, TYPES[kind]).reshape(shape)


def _node(content: Bytes) -> _Node:
    inputs: List[str] = []
    outputs: List[str] = []
    operator, numbers = "", {"axis": 1, "to": 0}
    for field in read_fields(content):
        if field.number in (INPUT, OUTPUT):
            (inputs if field.number == INPUT else outputs).append(field.text)
        elif field.number == OPERATOR:
            operator = field.text
        elif field.number == ATTRIBUTE:
            number = [each.content for each in read_fields(field.content) if each.number == ATTRIBUTE_INT]
            if number:
                numbers[text_of(field.content, ATTRIBUTE_NAME)] = read_varint(number[0], 0)[0]
    return _Node(inputs, outputs, operator, numbers["axis"], numbers["to"])
