"""A stage in half precision: fp16 weights and activations, fp32 where fp16 would overflow or lose too much.

fp16 holds magnitudes from 6.1e-5 (below that ever fewer digits, below 6e-8 none) to 65504 with 11 bits. Which layers
stay fp32 follows from what they compute and, where it was measured, from how large their tensors get on real inputs;
no network is known here by name. Convolutions and matrix products may be fp16: engines add their products in fp32.
"""

from __future__ import annotations

import math
from typing import AbstractSet, Any, Dict, List, Mapping, Optional, Set, Tuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, TensorProto, defs, helper

from edgecvar.compile.onnx.graph import (
    constant_tensor,
    constants,
    consumers,
    drop_unused,
    element_types,
    opset_of,
    producers,
    replace_nodes,
    sort_nodes,
    tensor_names,
    unused_name,
)
from edgecvar.compile.onnx.naming import BIAS
from edgecvar.errors import CompileError, unknown_name

LIMIT = 65504 / 4
"""Largest magnitude that a measured tensor may have in fp16: other clips than the measured ones may go beyond."""

SMALLEST = 2.0**-14
"""Smallest magnitude that fp16 holds with all its digits."""

WEIGHT_ERROR = 1e-3
"""Of a constant's norm: what rounding to fp16 may change. Within fp16's range it is some 3e-4."""

LIKELY_MEAN = 8.0
"""Taken as the largest mean where none was measured: beyond what normalised features have."""

SUMS = frozenset(f"Reduce{what}" for what in ("L1", "L2", "LogSum", "LogSumExp", "Prod", "Sum", "SumSquare")) | {
    "CumSum"
}
"""They grow with the number of terms; so do the products that they add, which are kept with them."""

STEEP = frozenset(("Div", "Exp", "Log", "Pow", "Reciprocal", "Softplus", "Sqrt"))
"""A small relative error or a small operand becomes a large one."""

NORMALISING = frozenset(
    (
        "BatchNormalization",
        "InstanceNormalization",
        "LayerNormalization",
        "LpNormalization",
        "LRN",
        "LogSoftmax",
        "Softmax",
    )
)
"""They add squares or exponentials inside."""

QUANTISING = frozenset(("QuantizeLinear", "DequantizeLinear"))
"""fp32 only up to operator set 18, and so are the layers that read them: those compute in int8."""

MAKING = frozenset(("Constant", "ConstantOfShape", "EyeLike", "Range"))
"""Their type is an attribute's or a constant's; they stay as they are and what they make is cast."""

ALWAYS_FULL = SUMS | STEEP | NORMALISING | QUANTISING | MAKING

PRODUCTS = frozenset(("Add", "Mul", "Neg", "Sub"))
"""What terms are made with before they are added up."""

HEAVY = frozenset(("Conv", "ConvTranspose", "Gemm", "GRU", "LSTM", "MatMul", "RNN"))
"""What is faster in fp16; a region without any is not worth the casts around it."""


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


def full_layers(
    model: onnx.ModelProto,
    types: Mapping[str, int],
    largest: Mapping[str, float],
    keep: AbstractSet[str] = frozenset(),
) -> Set[str]:
    """The layers that stay fp32, each by its first output's name."""
    graph = model.graph
    values, makers, readers = constants(graph), producers(graph), consumers(graph)
    terms, opset = _terms(model), opset_of(model)
    full = _named_layers(graph, keep)
    for node in graph.node:
        dequantised = any(name in makers and makers[name].op_type == "DequantizeLinear" for name in node.input)
        averages = node.op_type == "ReduceMean" and not _mean_fits(node, terms, largest)
        if node.op_type in ALWAYS_FULL or dequantised or averages or not _may_be_half(node, types, opset):
            full.add(node.output[0])
        if not _constants_fit(node, values) or (node.op_type == "Pad" and any(node.input[2:3])):
            full.add(node.output[0])
        if node.op_type in SUMS:
            full |= _products_before(node, makers)
    for name, value in largest.items():
        if value > LIMIT or 0 < value < SMALLEST or math.isnan(value):
            full |= {node.output[0] for node in readers.get(name, [])}
            if name in makers:
                full.add(makers[name].output[0])
    return full | _idle_regions(graph, full, types)


def _named_layers(graph: onnx.GraphProto, keep: AbstractSet[str]) -> Set[str]:
    """The first outputs of the layers of those names, and of the layers that read them; raises CompileError."""
    readers, nodes = consumers(graph), {node.name: node for node in graph.node}
    for name in sorted(keep - set(nodes)):
        raise CompileError(str(unknown_name("layer", name, nodes)))
    named = [nodes[name] for name in keep]
    reading = [each for node in named for name in node.output for each in readers.get(name, [])]
    return {node.output[0] for node in (*named, *reading)}


def _may_be_half(node: NodeProto, types: Mapping[str, int], opset: int) -> bool:
    """Whether the operator computes with floats and takes fp16 for the first of them."""
    floats = [place for place, name in enumerate(node.input) if types.get(name) == TensorProto.FLOAT]
    return _takes_half(node, floats[0], opset) if floats else node.op_type == "Cast"


def _takes_half(node: NodeProto, place: int, opset: int) -> bool:
    """Whether input number `place` may be fp16 by the specification of the operator in that operator set."""
    if node.domain or not defs.has(node.op_type, opset):
        return False
    inputs = defs.get_schema(node.op_type, opset).inputs
    return bool(inputs) and "tensor(float16)" in inputs[min(place, len(inputs) - 1)].types


def _constants_fit(node: NodeProto, values: Mapping[str, NDArray[Any]]) -> bool:
    """Whether fp16 holds a layer's constants: none overflows, and each as a whole hardly changes.

    A bias that is too small for fp16 is too small to matter beside the products that it is added to.
    """
    for place, name in enumerate(node.input):
        value = values.get(name)
        if value is None or value.dtype != np.float32 or not value.size:
            continue
        exact = value.astype(np.float64)
        size = float(np.abs(exact).max())
        if not size <= LIMIT:
            return False
        if size == 0.0 or (node.op_type in HEAVY and place == BIAS):
            continue
        change = float(np.linalg.norm(exact - value.astype(np.float16).astype(np.float64)))
        if size < SMALLEST or change > WEIGHT_ERROR * float(np.linalg.norm(exact)):
            return False
    return True


def _terms(model: onnx.ModelProto) -> Dict[str, int]:
    """Elements of each tensor per sample, where the shape is known."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    terms: Dict[str, int] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        terms[value.name] = math.prod(size.dim_value or 1 for size in value.type.tensor_type.shape.dim)
    return terms


def _mean_fits(node: NodeProto, terms: Mapping[str, int], largest: Mapping[str, float]) -> bool:
    """Whether fp16 holds the sum that a mean is made of, were an engine to add in fp16."""
    count = terms.get(node.input[0], 1) / max(1, terms.get(node.output[0], 1))
    return count * largest.get(node.output[0], LIKELY_MEAN) <= LIMIT


def _products_before(node: NodeProto, makers: Mapping[str, NodeProto]) -> Set[str]:
    """The products and sums of tensors whose elements `node` adds up."""
    products: Set[str] = set()
    waiting = [node.input[0]]
    while waiting:
        source = makers.get(waiting.pop())
        if source is not None and source.op_type in PRODUCTS and source.output[0] not in products:
            products.add(source.output[0])
            waiting.extend(source.input)
    return products


def _idle_regions(graph: onnx.GraphProto, full: Set[str], types: Mapping[str, int]) -> Set[str]:
    """Layers of the connected fp16 regions in which nothing would be faster."""
    half = [node for node in graph.node if node.output[0] not in full]
    region = {node.output[0]: {node.output[0]} for node in half}
    makers = {name: node.output[0] for node in half for name in node.output}
    for node in half:
        for name in node.input:
            if name in makers and types[name] == TensorProto.FLOAT:
                joined, other = region[node.output[0]], region[makers[name]]
                if joined is not other:
                    joined |= other
                    for member in other:
                        region[member] = joined
    busy = {member for node in half if node.op_type in HEAVY for member in region[node.output[0]]}
    return {node.output[0] for node in half} - busy


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
                    node.input[place] = self._read(name, half and _takes_half(node, place, self.opset))
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
