"""The type that each node computes in: by the file's types alone, or by flags with layers that are told to stay fp32.

As runners/tensorrt/precision.py sets them up: FileTyping and WeakTyping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet, FrozenSet, Mapping, Optional, Tuple

from edgecvar.bundle.precision import Precision
from edgecvar.predict.typing.inference import FLOATING, infer_types
from edgecvar.predict.typing.reading import UNKNOWN, StatedGraph, StatedNode
from edgecvar.runners.tensorrt.precision import is_wide

WEIGHTED = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
"""What computes in int8 where its activation and its weights are dequantised."""

IDLE = frozenset(("Cast", "Constant", "ConstantOfShape", "DequantizeLinear", "Identity", "QuantizeLinear", "Shape"))
"""They compute nothing, or are fused into what does."""


@dataclass(frozen=True)
class ComputedNode:
    """A node that computes with floats, and in which type."""

    name: str
    operator: str
    type: str


def by_file(graph: StatedGraph) -> Tuple[ComputedNode, ...]:
    """Strongly typed: in the type of its floats, or in int8 between DequantizeLinear nodes."""
    types = infer_types(graph).types
    dequantised = _dequantised(graph)
    return tuple(
        ComputedNode(node.name, node.operator, "int8" if _quantised(node, dequantised) else kind)
        for node, kind in _computing(graph, types)
    )


def by_flags(
    graph: StatedGraph, precision: Precision, wide: Optional[AbstractSet[str]] = None
) -> Tuple[ComputedNode, ...]:
    """Weakly typed with constraints that are obeyed: in the flags' lowest type but where a layer must stay fp32.

    fp16 is what is allowed there, and the builder takes it where that is faster. `wide`: as WeakTyping's.
    """
    dequantised = _dequantised(graph)
    full = full_nodes(graph)
    computed = []
    for node, _ in _computing(graph, infer_types(graph).types):
        kind = "fp16"
        if precision == "fp32" or (node.name in full and (wide is None or is_wide(node.name, wide))):
            kind = "fp32"
        elif precision == "int8" and _quantised(node, dequantised):
            kind = "int8"
        computed.append(ComputedNode(node.name, node.operator, kind))
    return tuple(computed)


def full_nodes(graph: StatedGraph) -> FrozenSet[str]:
    """The nodes that the file has in fp32 and that do not lie beside Q/DQ, as `float32_layers` finds their layers."""
    types = infer_types(graph).types
    dequantised = _dequantised(graph)
    quantised = {node.inputs[0] for node in graph.nodes if node.operator == "QuantizeLinear"}
    return frozenset(
        node.name
        for node, _ in _computing(graph, types)
        if all(types.get(name) == "fp32" for name in node.outputs if name)
        and dequantised.isdisjoint(node.inputs)
        and quantised.isdisjoint(node.outputs)
    )


def _computing(graph: StatedGraph, types: Mapping[str, str]) -> Tuple[Tuple[StatedNode, str], ...]:
    """The nodes that compute with floats, each with the type of the first of them."""
    found = []
    for node in graph.nodes:
        kinds = [types.get(name, UNKNOWN) for name in (*node.inputs, *node.outputs)]
        kind = next((kind for kind in kinds if kind in FLOATING), UNKNOWN)
        if kind and node.operator not in IDLE:
            found.append((node, kind))
    return tuple(found)


def _dequantised(graph: StatedGraph) -> FrozenSet[str]:
    return frozenset(name for node in graph.nodes if node.operator == "DequantizeLinear" for name in node.outputs)


def _quantised(node: StatedNode, dequantised: AbstractSet[str]) -> bool:
    return node.operator in WEIGHTED and len(node.inputs) > 1 and all(name in dequantised for name in node.inputs[:2])
