"""What TensorRT 8.2 cannot parse of a stage, or misreads, by NVIDIA's operator table (`tensorrt_operators.json`).

Strongly typed int8 stages are for TensorRT 11 alone: their operator set and their scales in fp16 are refused here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, defs, helper

from edgecvar.compile.onnx.graph import constants, opset_of, producers

TABLE = Path(__file__).with_name("tensorrt_operators.json")

TYPES: Dict[int, str] = {
    TensorProto.FLOAT: "FP32",
    TensorProto.DOUBLE: "FP32",
    TensorProto.FLOAT16: "FP16",
    TensorProto.INT8: "INT8",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT32",
    TensorProto.BOOL: "BOOL",
}
"""The table's names; the parser casts 64 bits down to 32."""


@dataclass(frozen=True)
class Unsupported:
    """A layer that TensorRT 8.2 cannot parse, or reads wrong; `layer` is empty where it is the whole graph."""

    layer: str
    operator: str
    reason: str


def unsupported(model: onnx.ModelProto) -> List[Unsupported]:
    """Every layer of `model` that the table of TensorRT 8.2 does not take, with the reason."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    refusals: List[Unsupported] = []
    if opset_of(model) > table["opset"]:
        reason = f"operator set {opset_of(model)}, and TensorRT {table['tensorrt']} reads sets up to {table['opset']}"
        refusals.append(Unsupported("", "", reason))
    inspect = _Inspection(model, table["operators"])
    for node in model.graph.node:
        refusals += [Unsupported(node.name, node.op_type, reason) for reason in inspect.reasons(node)]
    return refusals


class _Inspection:
    """One model's constants, ranks and element types, and the table's operators."""

    def __init__(self, model: onnx.ModelProto, operators: Dict[str, Optional[Dict[str, Any]]]) -> None:
        self.operators = operators
        self.constants = constants(model.graph)
        self.producers = producers(model.graph)
        self.types: Dict[str, int] = {}
        self.ranks: Dict[str, int] = {}
        graph = onnx.shape_inference.infer_shapes(model).graph
        for tensor in graph.initializer:
            self.types[tensor.name], self.ranks[tensor.name] = tensor.data_type, len(tensor.dims)
        for value in (*graph.input, *graph.value_info, *graph.output):
            kind = value.type.tensor_type
            self.types[value.name] = kind.elem_type
            if kind.HasField("shape"):
                self.ranks[value.name] = len(kind.shape.dim)

    def reasons(self, node: NodeProto) -> Iterator[str]:
        """Why the node cannot be parsed; nothing where it can."""
        entry = None if node.domain else self.operators.get(node.op_type)
        if entry is None:
            listed = not node.domain and node.op_type in self.operators
            yield "the table says that it is not supported" if listed else "not in the table"
            return
        yield from self._type_reasons(node, entry)
        ranks = entry.get("ranks")
        if ranks and self.ranks.get(node.input[0], ranks[0]) not in ranks:
            allowed = " or ".join(str(rank) for rank in ranks)
            yield f"a tensor of {self.ranks[node.input[0]]} dimensions, expected {allowed}"
        if {"constant", "zero", "misread", "unused_outputs"} & entry.keys():
            yield from self._tensor_reasons(node, entry)
        yield from self._attribute_reasons(node, entry.get("attributes", {}))

    def _tensor_reasons(self, node: NodeProto, entry: Dict[str, Any]) -> Iterator[str]:
        schema = defs.get_schema(node.op_type)
        inputs = dict(zip([formal.name for formal in schema.inputs], node.input))
        outputs = dict(zip([formal.name for formal in schema.outputs], node.output))
        for name in entry.get("constant", ()):
            if inputs.get(name) and not self._constant(inputs[name]):
                yield f"its input {name} is computed, and it must be a constant"
        for name in entry.get("zero", ()):
            if inputs.get(name) and not self._zero(inputs[name]):
                yield f"its input {name} must be zero"
        for name in entry.get("misread", ()):
            given = inputs.get(name, "")
            if self.types.get(given) == TensorProto.FLOAT16 and self._constant(given):
                yield f"its input {name} is a constant of type FLOAT16, and its bytes are read as FLOAT"
        for name in entry.get("unused_outputs", ()):
            if outputs.get(name):
                yield f"its output {name} is used"

    def _type_reasons(self, node: NodeProto, entry: Dict[str, Any]) -> Iterator[str]:
        by_output = entry.get("typed_by") == "output" or not node.input
        judged = node.output[0] if by_output else node.input[0]
        for name in dict.fromkeys([judged, *node.output]):
            kind = self.types.get(name, TensorProto.UNDEFINED)
            if not name or kind == TensorProto.UNDEFINED:
                continue
            listed: Sequence[str] = entry["types"] if name == judged else list(TYPES.values())
            if TYPES.get(kind) not in listed:
                expected = ", ".join(dict.fromkeys(listed))
                yield f"tensor {name} is of type {TensorProto.DataType.Name(kind)}, expected {expected}"

    def _attribute_reasons(self, node: NodeProto, allowed: Dict[str, List[str]]) -> Iterator[str]:
        for attribute in node.attribute:
            value = helper.get_attribute_value(attribute)
            text = value.decode() if isinstance(value, bytes) else value
            if attribute.name in allowed and text not in allowed[attribute.name]:
                yield f"{attribute.name} {text}, expected {', '.join(allowed[attribute.name])}"

    def _constant(self, name: str) -> bool:
        """A constant, or one that is quantised: the parser reads weights through their Q/DQ pair."""
        while name in self.producers and self.producers[name].op_type in ("QuantizeLinear", "DequantizeLinear"):
            name = self.producers[name].input[0]
        maker = self.producers.get(name)
        return name in self.constants or (maker is not None and maker.op_type == "Constant")

    def _zero(self, name: str) -> bool:
        values: Optional[NDArray[Any]] = self.constants.get(name)
        return values is not None and not np.any(values)
