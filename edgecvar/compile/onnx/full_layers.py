"""Which layers of a stage stay fp32 where the others become fp16.

fp16 holds magnitudes from 6.1e-5 (below that ever fewer digits, below 6e-8 none) to 65504 with 11 bits. Which layers
stay fp32 follows from what they compute and, where it was measured, from how large their tensors get on real inputs;
no network is known here by name. Convolutions and matrix products may be fp16: engines add their products in fp32.
"""

from __future__ import annotations

import math
from typing import AbstractSet, Any, Dict, Mapping, Set

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, defs

from edgecvar.compile.onnx.graph import constants, consumers, opset_of, producers
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
"""Before QDQ_OPSET fp32 only, and so are the layers that read them: those compute in int8."""

QDQ_OPSET = 19
"""From this operator set on they take fp16, and what they give has the type of their scale."""

MAKING = frozenset(("Constant", "ConstantOfShape", "EyeLike", "Range"))
"""Their type is an attribute's or a constant's; they stay as they are and what they make is cast."""

ALWAYS_FULL = SUMS | STEEP | NORMALISING | MAKING

PRODUCTS = frozenset(("Add", "Mul", "Neg", "Sub"))
"""What terms are made with before they are added up."""

HEAVY = frozenset(("Conv", "ConvTranspose", "Gemm", "GRU", "LSTM", "MatMul", "RNN"))
"""What is faster in fp16; a region without any is not worth the casts around it."""


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
        quantising = opset < QDQ_OPSET and (dequantised or node.op_type in QUANTISING)
        averages = node.op_type == "ReduceMean" and not _mean_fits(node, terms, largest)
        if node.op_type in ALWAYS_FULL or quantising or averages or not _may_be_half(node, types, opset):
            full.add(node.output[0])
        misread = opset < QDQ_OPSET and node.op_type == "Pad" and any(node.input[2:3])
        if misread or not _constants_fit(node, values):
            full.add(node.output[0])
        if node.op_type in SUMS:
            full |= _products_before(node, makers)
    for name, value in _through_int8(graph, largest).items():
        if value > LIMIT or 0 < value < SMALLEST or math.isnan(value):
            full |= {node.output[0] for node in readers.get(name, [])}
            if name in makers:
                full.add(makers[name].output[0])
    full = _layers_with_scales(graph, full)
    return full | _idle_regions(graph, full, types)


def _through_int8(graph: onnx.GraphProto, largest: Mapping[str, float]) -> Dict[str, float]:
    """`largest` with the tensors that are quantised and dequantised: they are as large as before."""
    makers, through = producers(graph), dict(largest)
    for node in graph.node:
        maker = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if maker is not None and maker.input[0] in largest:
            through[node.output[0]] = largest[maker.input[0]]
    return through


def _layers_with_scales(graph: onnx.GraphProto, full: Set[str]) -> Set[str]:
    """`full` with what must be there so that no cast comes between a DequantizeLinear and the layers that read it.

    An engine would find no int8 layer there.
    """
    readers, together = consumers(graph), set(full)
    scales = [node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"]
    groups = [{name, *(each.output[0] for each in readers.get(name, []))} for name in scales]
    while True:
        split = [group for group in groups if not group.isdisjoint(together) and not group <= together]
        if not split:
            return together
        together.update(*split)


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
    return takes_half(node, floats[0], opset) if floats else node.op_type == "Cast"


def takes_half(node: NodeProto, place: int, opset: int) -> bool:
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
    """Layers of the connected fp16 regions in which nothing would be faster: no heavy layer, and none beside int8.

    A QuantizeLinear alone stays: it reads fp32 as fast as a cast would.
    """
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
    busy: Set[str] = set()
    for node in half:
        here = region[node.output[0]]
        if node.op_type in HEAVY or (node.op_type in QUANTISING and len(here) > 1):
            busy |= here
    return {node.output[0] for node in half} - busy
