"""int8 in the graph: QuantizeLinear and DequantizeLinear around every weighted layer, fp16 where a layer is kept.

Symmetric (zero point 0), per-channel weights stored as int8, per-tensor activations, float32 biases: the form that
TensorRT calls explicit quantisation ("Working with INT8" in its developer guide).
"""

from __future__ import annotations

from typing import AbstractSet, Any, Dict, List, Mapping, Optional, Set, Tuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgecvar.compile.int8.layers import Layer, find_layers, find_residuals
from edgecvar.compile.onnx.graph import (
    constant_tensor,
    constants,
    drop_unused,
    tensor_names,
    unused_name,
)
from edgecvar.errors import CompileError

LEVELS = 127
"""Largest magnitude of a weight: -128 would make the range lopsided."""

HALF_MAX = float(np.finfo(np.float16).max)


class Quantizer:
    """One fp32 stage, written at any choice of layers; what a weight becomes is computed once.

    `beyond_half`: by their outputs, the layers that fp16 cannot hold, which stay fp32 where they are kept.
    """

    def __init__(self, model: onnx.ModelProto, beyond_half: AbstractSet[str] = frozenset()) -> None:
        self.layers = find_layers(model)
        self.model = model
        self.beyond_half = beyond_half
        self.constants = constants(model.graph)
        self.residuals = {residual.output: residual for residual in find_residuals(model)}
        self._weights: Dict[Tuple[str, Optional[int]], Tuple[NDArray[np.int8], NDArray[np.float32]]] = {}

    def write(self, ranges: Mapping[str, float], keep: AbstractSet[str], half: bool = True) -> onnx.ModelProto:
        """The model with its layers in int8 and those named in `keep` in fp16 where that holds them.

        `ranges`: by tensor, the largest magnitude to represent. Without `half` the layers that are kept stay fp32, for
        whoever turns the rest to fp16 with them; their weights are the same. Raises CompileError.
        """
        by_name = {layer.name: layer for layer in self.layers}
        unknown = sorted(keep - set(by_name))
        if unknown:
            raise CompileError(f"no layer named {', '.join(unknown)} to keep; the stage was exported again since")
        writer = _Writer(self, ranges, keep)
        for node in self.model.graph.node:
            layer = by_name.get(node.name)
            if layer is not None and layer.name in keep:
                fits = half and self._fits_half(node, ranges.get(layer.activation, 0.0))
                (writer.add_half if fits else writer.add_full)(node, layer)
            elif layer is not None:
                writer.add_int8(node, layer)
            else:
                writer.add_other(node)
        return writer.finish()

    def _fits_half(self, node: onnx.NodeProto, activation: float) -> bool:
        """Whether fp16 holds a layer with its constants, what it gives, and an activation of that magnitude."""
        held = [float(np.abs(self.constants[name]).max()) for name in node.input if name in self.constants]
        return node.output[0] not in self.beyond_half and max([activation, *held]) <= HALF_MAX

    def int8_weights(self, name: str, axis: Optional[int]) -> Tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Weights as int8 and their scales: (channels,) with an axis, else a scalar."""
        key = (name, axis)
        if key not in self._weights:
            self._weights[key] = quantise_weights(self.constants[name], axis)
        return self._weights[key]


def quantise_weights(values: NDArray[Any], axis: Optional[int]) -> Tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round to the nearest of 255 levels, whose largest is each channel's largest magnitude."""
    others = None if axis is None else tuple(each for each in range(values.ndim) if each != axis)
    largest = np.abs(values).max(axis=others)
    # A channel of zeros has any scale; a subnormal one would have none that divides.
    scale = np.where(largest > LEVELS * np.finfo(np.float32).tiny, largest / LEVELS, 1.0).astype(np.float32)
    spread = scale if axis is None else scale.reshape([-1 if each == axis else 1 for each in range(values.ndim)])
    levels = np.clip(np.rint(values / spread), -LEVELS, LEVELS).astype(np.int8)
    return levels, scale


class _Writer:
    """The nodes and constants of one int8 stage, in order."""

    def __init__(self, source: Quantizer, ranges: Mapping[str, float], keep: AbstractSet[str]) -> None:
        self._source = source
        self._ranges = ranges
        self._keep = keep
        self._tensors = tensor_names(source.model.graph)
        self._names: Set[str] = {node.name for node in source.model.graph.node}
        self._count = 0
        self._nodes: List[onnx.NodeProto] = []
        self._constants: Dict[str, onnx.TensorProto] = {}
        self._forms: Dict[Tuple[str, str], str] = {}

    def add_int8(self, node: onnx.NodeProto, layer: Layer) -> None:
        """The layer between dequantised activations and dequantised weights."""
        changed = _copy(node)
        changed.input[1 - layer.place] = self._through_int8(layer.activation)
        changed.input[layer.place] = self._dequantised(node.input[layer.place], layer.axis)
        self._nodes.append(changed)

    def add_half(self, node: onnx.NodeProto, layer: Layer) -> None:
        """The layer in fp16 between casts."""
        changed = _copy(node)
        for place, name in enumerate(node.input):
            if place == layer.place and layer.half_bytes == 0:
                changed.input[place] = self._half_from_int8(name, layer.axis)
            elif name:
                changed.input[place] = self._in_half(name)
        (output,) = node.output
        half = self._short("h")
        changed.output[0] = half
        self._forms[output, "half"] = half
        self._nodes.append(changed)
        self._node("Cast", [half], output, output, to=TensorProto.FLOAT)

    def add_full(self, node: onnx.NodeProto, layer: Layer) -> None:
        """The layer in fp32, its weights rounded to int8 where those of the fp16 form are."""
        changed = _copy(node)
        if layer.half_bytes == 0:
            changed.input[layer.place] = self._dequantised(node.input[layer.place], layer.axis)
        self._nodes.append(changed)

    def add_other(self, node: onnx.NodeProto) -> None:
        """As it is, or with its identity branch through int8 where the sum follows a layer in int8."""
        changed = _copy(node)
        residual = self._source.residuals.get(node.output[0])
        if residual is not None and residual.layer not in self._keep:
            changed.input[residual.place] = self._through_int8(residual.identity)
        self._nodes.append(changed)

    def finish(self) -> onnx.ModelProto:
        """The checked model, with what nothing reads any more left out."""
        source = self._source.model
        model = onnx.ModelProto(
            ir_version=source.ir_version, producer_name=source.producer_name, opset_import=source.opset_import
        )
        graph = model.graph
        graph.name = source.graph.name
        graph.input.extend(source.graph.input)
        graph.output.extend(source.graph.output)
        graph.node.extend(self._nodes)
        read = {name for node in self._nodes for name in node.input}
        graph.initializer.extend(tensor for tensor in source.graph.initializer if tensor.name in read)
        graph.initializer.extend(self._constants.values())
        drop_unused(graph)
        onnx.checker.check_model(model)
        return model

    def _through_int8(self, tensor: str) -> str:
        """`tensor` quantised and dequantised, once however many nodes read it."""
        if (tensor, "int8") not in self._forms:
            if not self._ranges.get(tensor, 0.0) > 0:
                raise CompileError(f"tensor {tensor} has no range to quantise it with; calibrate the stage again")
            scale = self._constant("s", np.asarray(self._ranges[tensor] / LEVELS, np.float32))
            inputs = [scale, self._zero(None)]
            quantised = self._node("QuantizeLinear", [tensor, *inputs], self._short("q"), tensor)
            self._forms[tensor, "int8"] = self._node("DequantizeLinear", [quantised, *inputs], self._short("d"), tensor)
        return self._forms[tensor, "int8"]

    def _dequantised(self, weights: str, axis: Optional[int]) -> str:
        key = (weights, f"int8 {axis}")
        if key not in self._forms:
            values, scale = self._source.int8_weights(weights, axis)
            zero = self._zero(None if axis is None else scale.size)
            inputs = [self._constant("w", values), self._constant("s", scale), zero]
            attributes = {} if axis is None else {"axis": axis}
            self._forms[key] = self._node("DequantizeLinear", inputs, self._short("d"), weights, **attributes)
        return self._forms[key]

    def _in_half(self, tensor: str) -> str:
        if (tensor, "half") not in self._forms:
            if tensor in self._source.constants:
                self._forms[tensor, "half"] = self._constant("h", self._source.constants[tensor].astype(np.float16))
            else:
                half = self._node("Cast", [tensor], self._short("h"), tensor, to=TensorProto.FLOAT16)
                self._forms[tensor, "half"] = half
        return self._forms[tensor, "half"]

    def _half_from_int8(self, weights: str, axis: Optional[int]) -> str:
        key = (weights, f"half from int8 {axis}")
        if key not in self._forms:
            stored = self._dequantised(weights, axis)
            self._forms[key] = self._node("Cast", [stored], self._short("h"), weights, to=TensorProto.FLOAT16)
        return self._forms[key]

    def _zero(self, channels: Optional[int]) -> str:
        """The int8 zero point, a scalar or (channels,): TensorRT 8 wants it stated."""
        key = ("zero point", str(channels))
        if key not in self._forms:
            self._forms[key] = self._constant("z", np.zeros(() if channels is None else channels, np.int8))
        return self._forms[key]

    def _constant(self, kind: str, values: NDArray[Any]) -> str:
        name = self._short(kind)
        self._constants[name] = constant_tensor(name, values)
        return name

    def _short(self, kind: str) -> str:
        """A new tensor's name: short, for there are many and each is written several times; nodes say what it is."""
        self._count += 1
        return unused_name(f"{kind}{self._count}", self._tensors)

    def _node(self, op_type: str, inputs: List[str], output: str, subject: str, **attributes: Any) -> str:
        name = unused_name(f"{subject}.{op_type}", self._names)
        self._nodes.append(helper.make_node(op_type, inputs, [output], name=name, **attributes))
        return output


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy: onnx.NodeProto = onnx.NodeProto.FromString(node.SerializeToString())
    return copy
