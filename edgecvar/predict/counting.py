"""What one node of a graph computes: its kind, its multiply-adds, its weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Sequence, Set

from edgecvar.predict.graph import Graph, Node
from edgecvar.predict.work import Kind

WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
CLAMPS = {"Relu", "Clip", "LeakyRelu"}
"""Activations that a convolution takes along in every version."""
CURVES = {
    "Sigmoid",
    "Tanh",
    "HardSigmoid",
    "HardSwish",
    "Elu",
    "Softplus",
    "Erf",
    "Exp",
    "Sqrt",
    "Abs",
    "Neg",
    "Log",
    "Pow",
}
ARITHMETIC = {"Add", "Sub", "Mul", "Div", "Min", "Max", "BatchNormalization", "Where", "PRelu"}
ELEMENTWISE = CLAMPS | CURVES | ARITHMETIC
POOLING = {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}
MOVEMENT = {"Transpose", "Slice", "Split", "Gather", "Pad", "Resize", "Expand", "Tile", "DepthToSpace", "SpaceToDepth"}


@dataclass(frozen=True)
class Work:
    """What a node computes; `activation`: the place of its data among its inputs, `weights` in elements.

    The rest as in `work.Layer`.
    """

    kind: Kind
    multiply_adds: int = 0
    weights: int = 0
    places: int = 1
    inputs: int = 1
    outputs: int = 1
    window: int = 1
    stride: int = 1
    activation: int = 0


def count(node: Node, graph: Graph, constant: Set[str]) -> Work:
    """The work of one node for a batch of 1; `constant`: tensors that follow from what the file stores."""
    given = graph.tensors[node.outputs[0]]
    if node.operator in ("Conv", "ConvTranspose"):
        return _convolution(node, graph)
    if node.operator in ("Gemm", "MatMul"):
        return _product(node, graph, constant)
    channels = given.shape[1] if len(given.shape) > 1 else 1
    places = given.elements // max(channels, 1)
    if node.operator in POOLING:
        window = prod(_integers(node, "kernel_shape")) if "kernel_shape" in node.attributes else 1
        return Work("pooling", 0, 0, places, channels, channels, window, _stride(node))
    kind: Kind = "reduction"
    if node.operator in ELEMENTWISE:
        kind = "elementwise"
    elif node.operator in MOVEMENT:
        kind = "movement"
    return Work(kind, 0, 0, places, channels, channels)


def _convolution(node: Node, graph: Graph) -> Work:
    weights = graph.tensors[node.inputs[1]]
    taken, given = (graph.tensors[name] for name in (node.inputs[0], node.outputs[0]))
    groups = int(_number(node, "group", 1))
    window = prod(weights.shape[2:])
    transposed = node.operator == "ConvTranspose"
    moving = taken if transposed else given
    adds = moving.elements * prod(weights.shape[1:])
    channels = given.shape[1]
    kind: Kind = "pointwise" if window == 1 else "dense"
    if groups > 1:
        kind = "depthwise" if groups == taken.shape[1] else "grouped"
    per_group = taken.shape[1] // groups
    return Work(kind, adds, weights.elements, given.elements // channels, per_group, channels, window, _stride(node))


def _product(node: Node, graph: Graph, constant: Set[str]) -> Work:
    first, second = (graph.tensors[name] for name in node.inputs[:2])
    given = graph.tensors[node.outputs[0]]
    inner = first.shape[0] if _number(node, "transA", 0) else first.shape[-1]
    stored = [place for place in (0, 1) if node.inputs[place] in constant]
    outputs = given.shape[-1] if given.shape else 1
    return Work(
        "matmul",
        given.elements * inner,
        sum((first, second)[place].elements for place in stored),
        given.elements // max(outputs, 1),
        inner,
        outputs,
        activation=1 if stored == [0] else 0,
    )


def _number(node: Node, name: str, default: float) -> float:
    value = node.attributes.get(name, default)
    return float(value) if isinstance(value, (int, float)) else default


def _integers(node: Node, name: str) -> Sequence[int]:
    value = node.attributes.get(name, ())
    return [int(each) for each in value] if isinstance(value, tuple) else []


def _stride(node: Node) -> int:
    return max([1, *_integers(node, "strides")])
