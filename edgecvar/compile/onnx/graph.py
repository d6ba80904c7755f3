"""Questions to an ONNX graph, and the few changes that every pass over one needs."""

from __future__ import annotations

from typing import Any, Dict, List, Set

import numpy as np
import onnx
from numpy.typing import NDArray


def producers(graph: onnx.GraphProto) -> Dict[str, onnx.NodeProto]:
    """The node that makes each tensor; graph inputs and constants have none."""
    return {name: node for node in graph.node for name in node.output if name}


def consumers(graph: onnx.GraphProto) -> Dict[str, List[onnx.NodeProto]]:
    """The nodes that read each tensor, in their order; one that reads it twice is there once."""
    readers: Dict[str, List[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in dict.fromkeys(node.input):
            if name:
                readers.setdefault(name, []).append(node)
    return readers


def constants(graph: onnx.GraphProto) -> Dict[str, NDArray[Any]]:
    """The value of every initializer."""
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operator set that the model uses; 1 where it says none."""
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def tensor_names(graph: onnx.GraphProto) -> Set[str]:
    """Every tensor's name: graph inputs, constants and what nodes make."""
    names = {value.name for value in (*graph.input, *graph.initializer)}
    return names | set(producers(graph))


def unused_name(stem: str, names: Set[str]) -> str:
    """`stem`, or `stem` with the first number from 2 that makes it new; `names` has it from now on."""
    name, number = stem, 2
    while name in names:
        name, number = f"{stem}.{number}", number + 1
    names.add(name)
    return name


def element_types(model: onnx.ModelProto) -> Dict[str, int]:
    """The `onnx.TensorProto.DataType` of every tensor; raises what `onnx.shape_inference` raises for a wrong graph."""
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    return types


def replace_nodes(graph: onnx.GraphProto, nodes: List[onnx.NodeProto]) -> None:
    """Set the graph's nodes, which may also be some of its own."""
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove the nodes and constants that no output depends on."""
    needed = {value.name for value in graph.output}
    live: List[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            live.append(node)
    replace_nodes(graph, live[::-1])
    used = [tensor for tensor in graph.initializer if tensor.name in needed]
    if len(used) < len(graph.initializer):
        copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in used]
        del graph.initializer[:]
        graph.initializer.extend(copies)


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Put every node after those that it reads from, otherwise in the order that they have."""
    makers = producers(graph)
    done: Set[str] = set()
    ordered: List[onnx.NodeProto] = []

    def place(node: onnx.NodeProto) -> None:
        waiting = [node]
        while waiting:
            current = waiting[-1]
            missing = [makers[name] for name in current.input if name in makers and name not in done]
            if missing:
                waiting.extend(missing)
                continue
            waiting.pop()
            if not done.issuperset(current.output):
                done.update(current.output)
                ordered.append(current)

    for node in graph.node:
        place(node)
    replace_nodes(graph, ordered)


def constant_tensor(name: str, values: NDArray[Any]) -> onnx.TensorProto:
    """An initializer of `values`, kept as raw bytes."""
    return onnx.numpy_helper.from_array(np.ascontiguousarray(values), name)
