"""What of a graph can be int8: layers with constant weights, and sums that close a residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np
import onnx

from edgecvar.compile.onnx.graph import consumers, producers
from edgecvar.errors import CompileError

WEIGHTED = ("Conv", "Gemm", "MatMul")

MANY = 4096
"""Weights from which a layer in fp16 keeps them as int8 in the file: it is rounding activations that costs decisions,
rounding per channel the weights of a large layer costs none that can be measured, and these are nearly all bytes."""


@dataclass(frozen=True)
class Layer:
    """A node with constant weights: the place of its activation and of its weights among its inputs.

    `axis`: the weights' axis that runs over the output channels, None where there is no such axis.
    `size`: number of weights.
    """

    name: str
    activation: str
    place: int
    axis: Optional[int]
    size: int

    @property
    def half_bytes(self) -> int:
        """What its weights take more in fp16 than in int8."""
        return self.size if self.size < MANY else 0


@dataclass(frozen=True)
class Residual:
    """An Add that closes a residual: its output, the place of its identity branch, and the layer before it.

    TensorRT fuses the sum into that layer when the identity branch is quantised too.
    """

    output: str
    place: int
    identity: str
    layer: str


def find_layers(model: onnx.ModelProto) -> List[Layer]:
    """What can be quantised, in the order of the graph; raises CompileError where two layers have one name."""
    graph = model.graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    layers: List[Layer] = []
    for node in graph.node:
        if node.op_type not in WEIGHTED or node.domain not in ("", "ai.onnx"):
            continue
        if node.input[1] in shapes and node.input[0] not in shapes:
            place = 1
        elif node.op_type == "MatMul" and node.input[0] in shapes and node.input[1] not in shapes:
            place = 0
        else:
            continue
        shape = shapes[node.input[place]]
        layers.append(
            Layer(node.name, node.input[1 - place], place, _channel_axis(node, place, shape), int(np.prod(shape)))
        )
    names = [layer.name for layer in layers]
    twice = sorted({name for name in names if names.count(name) > 1 or not name})
    if twice:
        raise CompileError(f"layers without a name of their own: {', '.join(map(repr, twice))}; export the stage again")
    return layers


def find_residuals(model: onnx.ModelProto) -> List[Residual]:
    """The Adds of two computed tensors of which one comes straight from a layer and goes nowhere else."""
    graph = model.graph
    layers = {layer.name for layer in find_layers(model)}
    makers, read = producers(graph), consumers(graph)
    order = {name: place for place, node in enumerate(graph.node) for name in node.output}
    outputs = {value.name for value in graph.output}
    constant = {tensor.name for tensor in graph.initializer}
    residuals: List[Residual] = []
    for node in graph.node:
        if node.op_type != "Add" or constant.intersection(node.input) or node.input[0] == node.input[1]:
            continue
        # The branch that ends last is the one that the sum is fused with.
        last = max((0, 1), key=lambda place: order.get(node.input[place], -1))
        branch = node.input[last]
        ends = makers.get(branch)
        if ends is not None and ends.name in layers and len(read[branch]) == 1 and branch not in outputs:
            residuals.append(Residual(node.output[0], 1 - last, node.input[1 - last], ends.name))
    return residuals


def quantised_tensors(model: onnx.ModelProto) -> List[str]:
    """The activations that need a range, each once, in the order of the graph."""
    activations = [layer.activation for layer in find_layers(model)]
    return list(dict.fromkeys([*activations, *(residual.identity for residual in find_residuals(model))]))


def _channel_axis(node: onnx.NodeProto, place: int, shape: Tuple[int, ...]) -> Optional[int]:
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm":
        transposed = any(each.name == "transB" and each.i for each in node.attribute)
        return 0 if transposed else 1
    return (0 if place == 0 else 1) if len(shape) == 2 else None
