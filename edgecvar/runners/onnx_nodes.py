"""The nodes of an ONNX file, read and marked in the file's own bytes: a device has no onnx package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

from edgecvar.runners.onnx_fields import (
    GRAPH,
    NODE,
    NODE_NAME,
    OPERATOR,
    OUTPUT,
    OUTPUT_OF_GRAPH,
    VALUE_NAME,
    graph_fields,
    text_of,
)
from edgecvar.runners.protobuf import bytes_field, read_fields


@dataclass(frozen=True)
class OnnxNode:
    """A node's name (its first output where it has none), operator, and the tensors that it makes."""

    name: str
    operator: str
    outputs: Tuple[str, ...]


def read_nodes(model: bytes) -> List[OnnxNode]:
    """The nodes of a model's graph in their order; raises ValueError where it is not an ONNX file."""
    nodes = []
    for node in graph_fields(model):
        if node.number == NODE:
            texts: Dict[int, List[str]] = {OUTPUT: [], NODE_NAME: [], OPERATOR: []}
            for field in read_fields(node.content):
                if field.number in texts:
                    texts[field.number].append(field.text)
            name, operator = "".join(texts[NODE_NAME][:1]), "".join(texts[OPERATOR][:1])
            nodes.append(OnnxNode(name or "".join(texts[OUTPUT][:1]), operator, tuple(texts[OUTPUT])))
    return nodes


def with_outputs(model: bytes, tensors: Sequence[str]) -> bytes:
    """The model with more of its tensors as outputs, of whatever type; raises ValueError as read_nodes does."""
    parts = []
    for field in read_fields(model):
        if field.number != GRAPH:
            parts.append(bytes(field.whole))
            continue
        outputs = [each.content for each in read_fields(field.content) if each.number == OUTPUT_OF_GRAPH]
        there = {text_of(output, VALUE_NAME) for output in outputs}
        more = [bytes_field(VALUE_NAME, name.encode()) for name in tensors if name not in there]
        marked = b"".join(bytes_field(OUTPUT_OF_GRAPH, value) for value in more)
        parts.append(bytes_field(GRAPH, bytes(field.content) + marked))
    return b"".join(parts)
