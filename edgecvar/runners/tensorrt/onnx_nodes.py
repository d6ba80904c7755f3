"""Which node of an ONNX file has which number: a device has no onnx package, and TensorRT's parser gives numbers.

ModelProto, GraphProto and NodeProto of ONNX's onnx.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List

from edgecvar.runners.tensorrt.protobuf import read_fields

GRAPH_OF_MODEL, NODE_OF_GRAPH, OUTPUT, NAME, OPERATOR = 7, 1, 2, 3, 4


@dataclass(frozen=True)
class OnnxNode:
    """A node's name (its first output where it has none) and operator."""

    name: str
    operator: str


def read_nodes(model: bytes) -> List[OnnxNode]:
    """The nodes of a model's graph in their order; raises ValueError where it is not an ONNX file."""
    nodes = []
    for graph in read_fields(model):
        if graph.number != GRAPH_OF_MODEL:
            continue
        for node in read_fields(graph.content):
            if node.number == NODE_OF_GRAPH:
                texts: Dict[int, str] = {}
                for field in read_fields(node.content):
                    if field.number in (OUTPUT, NAME, OPERATOR):
                        texts.setdefault(field.number, field.text)
                nodes.append(OnnxNode(texts.get(NAME) or texts.get(OUTPUT, ""), texts.get(OPERATOR, "")))
    return nodes
