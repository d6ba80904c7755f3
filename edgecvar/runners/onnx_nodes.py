"""The nodes of an ONNX file, read and marked in the file's own bytes: a device has no onnx package.

ModelProto, GraphProto, NodeProto and ValueInfoProto of ONNX's onnx.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

from edgecvar.runners.protobuf import bytes_field, read_fields

GRAPH_OF_MODEL, NODE_OF_GRAPH, OUTPUT_OF_GRAPH, NAME_OF_VALUE = 7, 1, 12, 1
OUTPUT, NAME, OPERATOR = 2, 3, 4


@dataclass(frozen=True)
class OnnxNode:
    """A node's name (its first output where it has none), operator, and the tensors that it makes."""

    name: str
    operator: str
    outputs: Tuple[str, ...]


def read_nodes(model: bytes) -> List[OnnxNode]:
    """The nodes of a model's graph in their order; raises ValueError where it is not an ONNX file."""
    nodes = []
    for graph in read_fields(model):
        if graph.number != GRAPH_OF_MODEL:
            continue
        for node in read_fields(graph.content):
            if node.number == NODE_OF_GRAPH:
                texts: Dict[int, List[str]] = {OUTPUT: [], NAME: [], OPERATOR: []}
                for field in read_fields(node.content):
                    if field.number in texts:
                        texts[field.number].append(field.text)
                name, operator = "".join(texts[NAME][:1]), "".join(texts[OPERATOR][:1])
                nodes.append(OnnxNode(name or "".join(texts[OUTPUT][:1]), operator, tuple(texts[OUTPUT])))
    return nodes


def with_outputs(model: bytes, tensors: Sequence[str]) -> bytes:
    """The model with more of its tensors as outputs, of whatever type; raises ValueError as read_nodes does."""
    parts = []
    for field in read_fields(model):
        if field.number != GRAPH_OF_MODEL:
            parts.append(bytes(field.whole))
            continue
        outputs = [each.content for each in read_fields(field.content) if each.number == OUTPUT_OF_GRAPH]
        there = {each.text for output in outputs for each in read_fields(output) if each.number == NAME_OF_VALUE}
        more = [bytes_field(NAME_OF_VALUE, name.encode()) for name in tensors if name not in there]
        marked = b"".join(bytes_field(OUTPUT_OF_GRAPH, value) for value in more)
        parts.append(bytes_field(GRAPH_OF_MODEL, bytes(field.content) + marked))
    return b"".join(parts)
