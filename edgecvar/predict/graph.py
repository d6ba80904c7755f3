"""A stage's graph as it is reckoned with: its nodes, every tensor's shape and type."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

import numpy as np

from edgecvar.errors import BundleError, reason
from edgecvar.runners.onnx import onnx_runtime, session_options
from edgecvar.runners.onnx_fields import (
    ATTRIBUTE,
    ATTRIBUTE_FLOAT,
    ATTRIBUTE_FLOATS,
    ATTRIBUTE_INT,
    ATTRIBUTE_INTS,
    ATTRIBUTE_NAME,
    ATTRIBUTE_TEXT,
    DATA_TYPE,
    DIMS,
    INITIALIZER,
    INPUT,
    INPUT_OF_GRAPH,
    NODE,
    NODE_NAME,
    OPERATOR,
    OUTPUT,
    OUTPUT_OF_GRAPH,
    TENSOR_NAME,
    VALUE_NAME,
    graph_fields,
    numbers_in,
    text_of,
)
from edgecvar.runners.onnx_nodes import with_outputs
from edgecvar.runners.protobuf import Bytes, read_fields

Attribute = Union[int, float, str, Tuple[int, ...], Tuple[float, ...]]

TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
"""TensorProto.DataType, as far as stages use it."""
RUNTIME_TYPES = {"float": "float32", "double": "float64"}
"""What ONNX Runtime calls otherwise than numpy."""
SIZES = {"float32": 4, "float16": 2, "float64": 8, "int8": 1, "uint8": 1, "bool": 1, "int32": 4, "int64": 8}
MOST_NODES = 10_000
"""A stage has some hundreds; ONNX Runtime takes minutes for many more."""


@dataclass(frozen=True)
class Tensor:
    """Shape, the batch being 1, and type by numpy's name; a constant is stored in the file."""

    shape: Tuple[int, ...]
    dtype: str
    constant: bool = False

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * SIZES.get(self.dtype, 4)


@dataclass(frozen=True)
class Node:
    """An operator's call without the outputs that it leaves out; its name is the first of them where it has none."""

    name: str
    operator: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can run, and tensors by name."""

    nodes: Tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]

    def readers(self) -> Dict[str, List[Node]]:
        """By tensor, the nodes that take it."""
        found: Dict[str, List[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def makers(self) -> Dict[str, Node]:
        """By tensor, the node that gives it."""
        return {name: node for node in self.nodes for name in node.outputs}


def read_graph(model: bytes, named: str = "the stage") -> Graph:
    """The graph of an ONNX file whose batch is taken to be 1; raises BundleError where it is none.

    Shapes are those that ONNX Runtime infers, or finds by running the graph once where it infers none.
    """
    try:
        nodes, constants, inputs, outputs = _structure(model)
        computed = [name for node in nodes for name in node.outputs if name]
        tensors = {**_shapes(model, computed, inputs), **constants}
    except Exception as error:  # onnxruntime has no public parent for its errors
        raise BundleError(f"{named}: its graph cannot be read: {reason(error)}; compile the bundle again") from error
    return Graph(tuple(nodes), tensors, tuple(inputs), tuple(outputs))


def _structure(model: bytes) -> Tuple[List[Node], Dict[str, Tensor], List[str], List[str]]:
    nodes: List[Node] = []
    constants: Dict[str, Tensor] = {}
    inputs: List[str] = []
    outputs: List[str] = []
    for field in graph_fields(model):
        if field.number == NODE:
            nodes.append(_node(field.content))
        elif field.number == INITIALIZER:
            name, tensor = _constant(field.content)
            constants[name] = tensor
        elif field.number in (INPUT_OF_GRAPH, OUTPUT_OF_GRAPH):
            (inputs if field.number == INPUT_OF_GRAPH else outputs).append(text_of(field.content, VALUE_NAME))
    if not nodes:
        raise ValueError("no ONNX file, or one without nodes")
    if len(nodes) > MOST_NODES:
        raise ValueError(f"{len(nodes):,} nodes, at most {MOST_NODES:,} are taken")
    return nodes, constants, [name for name in inputs if name not in constants], outputs


def _node(content: Bytes) -> Node:
    inputs: List[str] = []
    outputs: List[str] = []
    attributes: Dict[str, Attribute] = {}
    name = operator = ""
    for field in read_fields(content):
        if field.number == INPUT:
            inputs.append(field.text)
        elif field.number == OUTPUT and field.text:
            outputs.append(field.text)
        elif field.number == NODE_NAME:
            name = field.text
        elif field.number == OPERATOR:
            operator = field.text
        elif field.number == ATTRIBUTE:
            attributes.update(_attribute(field.content))
    return Node(name or (outputs[0] if outputs else ""), operator, tuple(inputs), tuple(outputs), attributes)


def _attribute(content: Bytes) -> Dict[str, Attribute]:
    """Numbers, texts and lists of numbers; what else there is, such as a tensor, is left out."""
    name = text_of(content, ATTRIBUTE_NAME)
    integers: List[int] = []
    floats: List[float] = []
    for field in read_fields(content):
        if field.number == ATTRIBUTE_INT:
            return {name: numbers_in(field.content)[0]}
        if field.number == ATTRIBUTE_FLOAT:
            return {name: float(struct.unpack("<f", field.content)[0])}
        if field.number == ATTRIBUTE_TEXT:
            return {name: field.text}
        if field.number == ATTRIBUTE_INTS:
            integers += numbers_in(field.content)
        elif field.number == ATTRIBUTE_FLOATS:
            floats += struct.unpack(f"<{len(field.content) // 4}f", field.content)
    if integers:
        return {name: tuple(integers)}
    return {name: tuple(floats)} if floats else {}


def _constant(content: Bytes) -> Tuple[str, Tensor]:
    shape: List[int] = []
    kind = 0
    name = ""
    for field in read_fields(content):
        if field.number == DIMS:
            shape += numbers_in(field.content)
        elif field.number == DATA_TYPE:
            kind = numbers_in(field.content)[0]
        elif field.number == TENSOR_NAME:
            name = field.text
    return name, Tensor(tuple(shape), TYPES.get(kind, "float32"), constant=True)


def _shapes(model: bytes, computed: Sequence[str], inputs: Sequence[str]) -> Dict[str, Tensor]:
    """By inference, and by a run on zeros where a size beside the batch stays open."""
    options = session_options(1, as_written=True)
    options.graph_optimization_level = onnx_runtime().GraphOptimizationLevel.ORT_DISABLE_ALL
    marked = with_outputs(model, computed)
    session = onnx_runtime().InferenceSession(marked, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()
    batch = {value.shape[0] for value in given if value.shape}
    tensors: Dict[str, Tensor] = {}
    open_ones: List[str] = []
    for value in (*given, *session.get_outputs()):
        kind = str(value.type)[len("tensor(") : -1]
        shape = [size if isinstance(size, int) else 1 for size in value.shape]
        tensors[value.name] = Tensor(tuple(shape), RUNTIME_TYPES.get(kind, kind))
        known = value.shape and all(isinstance(size, int) or size in batch for size in value.shape)
        if not known and value.name not in inputs:
            open_ones.append(value.name)
    if open_ones:
        zeros = {each.name: np.zeros(tensors[each.name].shape, tensors[each.name].dtype) for each in given}
        arrays: List[Any] = session.run(open_ones, zeros)
        tensors.update({name: Tensor(array.shape, str(array.dtype)) for name, array in zip(open_ones, arrays)})
    return {name: tensors[name] for name in (*inputs, *computed)}
