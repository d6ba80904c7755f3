"""Names of layers and tensors in a stage's graph: where in the torch module each comes from."""

from __future__ import annotations

import ast
from typing import Dict, Set

import onnx
from onnx import NodeProto, defs

from edgecvar.compile.onnx.graph import unused_name

SCOPES = "pkg.torch.onnx.name_scopes"
"""Key of the exporter's note of the modules that a node is in, from the outermost, then its own name."""

WRAPPER = "module"
"""What the module that the exporter is given calls the stage."""

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators named after their weights: after a batch norm was folded in, the note names the norm."""

BIAS = 2
"""Place of a convolution's or a matrix product's bias among its inputs."""


def name_parts(graph: onnx.GraphProto) -> None:
    """Give each node a name of its own and its tensor the same.

    A layer with weights is called like its module ("backbone.features.0.0"), any other node like its module and its
    operator ("backbone.features.0.2.Sigmoid"), numbered from the second on. Names of graph inputs and outputs stay.
    """
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names: Dict[str, str] = {name: name for name in fixed}
    nodes: Set[str] = set()
    tensors = set(fixed)
    weights = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        node.name = unused_name(_node_name(node, weights), nodes)
        _name_constants(node, weights, names, tensors)
        for place, output in enumerate(node.output):
            if output and output not in names:
                stem = node.name if place == 0 else f"{node.name}.out{place}"
                names[output] = unused_name(stem, tensors)
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]


def _node_name(node: NodeProto, weights: Set[str]) -> str:
    if node.op_type in WEIGHTED and len(node.input) > 1 and node.input[1] in weights:
        name = _inside(node.input[1])
        if name.endswith(".weight"):
            return name[: -len(".weight")]
    path = module_of(node)
    return f"{path}.{node.op_type}" if path else node.op_type


def module_of(node: NodeProto) -> str:
    """The stage's module that an exported node is in; empty for the stage itself and where there is no note."""
    notes = {note.key: note.value for note in node.metadata_props}
    modules = ast.literal_eval(notes[SCOPES])[:-1] if SCOPES in notes else []
    return _inside(modules[-1]) if modules else ""


def _name_constants(node: NodeProto, weights: Set[str], names: Dict[str, str], tensors: Set[str]) -> None:
    """Parameters keep torch's names, other constants are called like their first reader and its input."""
    schema = defs.get_schema(node.op_type)
    for place, name in enumerate(node.input):
        if name not in weights or name in names:
            continue
        inside = _inside(name)
        role = schema.inputs[min(place, len(schema.inputs) - 1)].name
        if node.op_type in WEIGHTED and place == BIAS:
            inside = f"{node.name}.bias"
        elif inside == name:
            inside = f"{node.name}.{role}"
        names[name] = unused_name(inside, tensors)


def _inside(path: str) -> str:
    """`path` without the wrapper's name; the path itself where that is not in front."""
    if path == WRAPPER:
        return ""
    return path[len(WRAPPER) + 1 :] if path.startswith(f"{WRAPPER}.") else path
