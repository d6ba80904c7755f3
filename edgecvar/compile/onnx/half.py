"""A stage in half precision: fp16 weights and activations, fp32 where full_layers.py says so."""

from __future__ import annotations

from typing import AbstractSet, Dict, List, Mapping, Optional, Set, Tuple

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper

from edgecvar.compile.onnx.full_layers import QDQ_OPSET, full_layers, takes_half
from edgecvar.compile.onnx.graph import (
    constant_tensor,
    constants,
    drop_unused,
    element_types,
    opset_of,
    replace_nodes,
    sort_nodes,
    tensor_names,
    unused_name,
)
from edgecvar.errors import CompileError


def to_half(
    model: onnx.ModelProto, largest: Optional[Mapping[str, float]] = None, keep: AbstractSet[str] = frozenset()
) -> onnx.ModelProto:
    """`model` with fp16 inside and its fp32 inputs and outputs; raises CompileError for control flow.

    `largest`: the largest absolute value of tensors on real inputs, as far as measured. `keep`: names of layers that
    stay fp32 with whatever reads them; CompileError where there is none of a name.
    """
    half: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    for node in half.graph.node:
        if any(attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for attribute in node.attribute):
            raise CompileError(f"layer {node.name}: control flow ({node.op_type}) has no fp16 form; use fp32")
    if opset_of(half) < QDQ_OPSET:  # what TensorRT 8.2 may read
        _state_bounds(half.graph)
    types = element_types(half)
    full = full_layers(half, types, largest or {}, keep)
    _Rewrite(half, types, full).apply()
    onnx.checker.check_model(half, full_check=True)
    return half


def _state_bounds(graph: onnx.GraphProto) -> None:
    """Write Clip as Relu or Max, then Min, and leave the zeros of Pad unsaid.

    TensorRT 8.2 takes the fp16 bounds of a Clip, and the fp16 value of a Pad, for fp32, and computes with them.
    """
    values, tensors = constants(graph), tensor_names(graph)
    nodes: List[NodeProto] = []
    for node in graph.node:
        low, high = ([*node.input[1:], "", ""] if node.op_type == "Clip" else ["", ""])[:2]
        if node.op_type == "Pad" and len(node.input) > 2 and not np.any(values.get(node.input[2], 1)):
            node.input[2] = ""
        if not low and not high:
            nodes.append(node)
            continue
        bounds = [("Max", low), ("Min", high)]
        steps = [(operator, bound) for operator, bound in bounds if bound]
        source = node.input[0]
        for number, (operator, bound) in enumerate(steps, 1):
            last = number == len(steps)
            output = node.output[0] if last else unused_name(f"{node.output[0]}.{operator}", tensors)
            zero = operator == "Max" and bound in values and not values[bound].any()
            inputs = [source] if zero else [source, bound]
            made = helper.make_node("Relu" if zero else operator, inputs, [output], name=node.name if last else output)
            nodes.append(made)
            source = output
    replace_nodes(graph, nodes)
    drop_unused(graph)


class _Rewrite:
    """One graph on its way to fp16: layers in `full` stay, the rest changes, casts go in between."""

    def __init__(self, model: onnx.ModelProto, types: Mapping[str, int], full: Set[str]) -> None:
        graph = model.graph
        self.graph, self.types, self.full, self.opset = graph, types, full, opset_of(model)
        self.values = constants(graph)
        self.halved = {
            name
            for node in graph.node
            if node.output[0] not in full
            for name in node.output
            if types.get(name) == TensorProto.FLOAT
        }
        self.names = tensor_names(graph)
        self.versions: Dict[Tuple[str, bool], str] = {}
        self.casts: List[NodeProto] = []
        self.constants: Dict[str, str] = {}
        """By the name of an fp16 constant, that of the fp32 one that it is made of."""

    def apply(self) -> None:
        graph = self.graph
        for node in graph.node:
            half = node.output[0] not in self.full
            for place, name in enumerate(node.input):
                if name and self.types.get(name) == TensorProto.FLOAT:
                    node.input[place] = self._read(name, half and takes_half(node, place, self.opset))
            if half and node.op_type == "Cast":
                self._cast_to_half(node)
        self._return_outputs()
        self._convert_constants()
        replace_nodes(graph, [*graph.node, *self.casts])
        sort_nodes(graph)
        drop_unused(graph)

    def _read(self, name: str, half: bool) -> str:
        """The name under which a layer reads tensor `name` in fp16 or fp32."""
        key = (name, half)
        if key in self.versions:
            return self.versions[key]
        if half == (name in self.halved):
            return name
        new = unused_name(f"{name}.{'fp16' if half else 'fp32'}", self.names)
        if name in self.values:
            self.constants[new] = name
        else:
            kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
            self.casts.append(helper.make_node("Cast", [name], [new], name=new, to=kind))
        self.versions[key] = new
        return new

    def _cast_to_half(self, node: NodeProto) -> None:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16

    def _return_outputs(self) -> None:
        """Give the graph its fp32 outputs back under their names."""
        for output in [value.name for value in self.graph.output if value.name in self.halved]:
            inner = unused_name(f"{output}.fp16", self.names)
            back = self.versions.get((output, False))
            for node in (*self.graph.node, *self.casts):
                node.input[:] = [{output: inner, back: output}.get(name, name) for name in node.input]
                node.output[:] = [inner if name == output else name for name in node.output]
            self.casts = [cast for cast in self.casts if back is None or cast.output[0] != back]
            self.casts.append(helper.make_node("Cast", [inner], [output], name=f"{output}.fp32", to=TensorProto.FLOAT))

    def _convert_constants(self) -> None:
        """Add the fp16 constants, under the names of the fp32 ones wherever nothing reads those any more."""
        read = {name for node in self.graph.node for name in node.input}
        renamed = {new: old for new, old in self.constants.items() if old not in read}
        for node in self.graph.node:
            node.input[:] = [renamed.get(name, name) for name in node.input]
        others = [tensor for tensor in self.graph.initializer if tensor.name not in renamed.values()]
        halves = [
            constant_tensor(renamed.get(new, new), self.values[old].astype(np.float16))
            for new, old in self.constants.items()
        ]
        copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in others]
        del self.graph.initializer[:]
        self.graph.initializer.extend([*copies, *halves])
