"""The type of every tensor, inferred node by node as a parser does that keeps a file's types.

By the type constraints of ONNX's operator specifications, and by two rules of TensorRT's: what a DequantizeLinear gives
has the type of its scale (onnx-tensorrt 10.1, onnxOpImporters.cpp 1392 to 1397), and no cast is put in where the
operands of a strongly typed layer differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Tuple

from edgecvar.predict.typing.reading import UNKNOWN, StatedGraph, StatedNode

FLOATING = frozenset(("fp32", "fp16", "fp64", "bf16"))

MAKING_BOOL = frozenset(
    ("And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Xor")
)
MAKING_INT64 = frozenset(("ArgMax", "ArgMin", "NonZero", "Shape", "Size"))

OPERANDS: Dict[str, Tuple[int, ...]] = {
    "DequantizeLinear": (),
    "Cast": (),
    "GridSample": (0,),
    "OneHot": (2,),
    "QuantizeLinear": (0, 1),
    "Resize": (0,),
    "Upsample": (0,),
    "Where": (1, 2),
}
"""The inputs that must be of one type; of other operators all that are of floats, at any place."""

TYPED_BY: Dict[str, int] = {"DequantizeLinear": 1, "OneHot": 2, "Where": 1}
"""The input whose type a node gives; that of others is their first."""


@dataclass(frozen=True)
class Mismatch:
    """A node whose operands are of several types, each by its tensor's name: a strongly typed parser refuses it."""

    node: str
    operator: str
    operands: Tuple[Tuple[str, str], ...]

    def __str__(self) -> str:
        operands = ", ".join(f"{name} is {kind}" for name, kind in self.operands)
        return f"node {self.node} ({self.operator}) reads tensors of several types: {operands}"


@dataclass(frozen=True)
class Inferred:
    """The type of every tensor, an empty text where it does not follow, and the nodes that would be refused."""

    types: Mapping[str, str]
    mismatches: Tuple[Mismatch, ...]


def infer_types(graph: StatedGraph) -> Inferred:
    """The types that follow from what the file states."""
    types = dict(graph.types)
    mismatches: List[Mismatch] = []
    for node in graph.nodes:
        operands = _operands(node, types)
        if len({kind for _, kind in operands}) > 1:
            mismatches.append(Mismatch(node.name, node.operator, operands))
        for place, name in enumerate(node.outputs):
            types[name] = _output(node, place, types)
    return Inferred(types, tuple(mismatches))


def _operands(node: StatedNode, types: Mapping[str, str]) -> Tuple[Tuple[str, str], ...]:
    """What must agree, as far as its type is known."""
    names = node.inputs
    if node.operator in OPERANDS:
        names = tuple(names[place] for place in OPERANDS[node.operator] if place < len(names))
    read = [(name, types.get(name, UNKNOWN)) for name in names]
    return tuple((name, kind) for name, kind in read if kind in FLOATING)


def _output(node: StatedNode, place: int, types: Mapping[str, str]) -> str:
    if node.operator in MAKING_BOOL:
        return "bool"
    if node.operator in MAKING_INT64 or (node.operator == "TopK" and place == 1):
        return "int64"
    if node.operator in ("Cast", "Constant", "ConstantOfShape"):
        return node.states or ("fp32" if node.operator == "ConstantOfShape" else UNKNOWN)
    if node.operator == "QuantizeLinear":
        return types.get(node.inputs[2], UNKNOWN) if len(node.inputs) > 2 and node.inputs[2] else "uint8"
    by = TYPED_BY.get(node.operator, 0)
    return types.get(node.inputs[by], UNKNOWN) if by < len(node.inputs) else UNKNOWN
