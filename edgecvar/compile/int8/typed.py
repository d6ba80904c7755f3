"""int8 stages for engines that keep a file's types as they are: fp16 between the int8 layers, as TensorRT 11 wants it.

There what a DequantizeLinear gives has the type of its scale, so that with fp32 scales all between int8 layers would be
fp32. Scales may be fp16 from operator set 19 on, which older parsers do not read.
"""

from __future__ import annotations

from typing import AbstractSet, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import version_converter

from edgecvar.compile.onnx.full_layers import QDQ_OPSET, QUANTISING, SMALLEST, full_layers
from edgecvar.compile.onnx.graph import constant_tensor, constants, element_types, opset_of
from edgecvar.compile.onnx.half import to_half
from edgecvar.errors import CompileError, reason
from edgecvar.predict.typing.computing import by_file
from edgecvar.predict.typing.inference import infer_types
from edgecvar.predict.typing.survey import given_graph

QDQ_IR = 9
"""Of ONNX 1.14, which brought QDQ_OPSET."""


def strongly_typed(
    model: onnx.ModelProto, largest: Mapping[str, float], keep: AbstractSet[str] = frozenset()
) -> onnx.ModelProto:
    """An int8 stage, all else in fp32, with all else in fp16 but what `to_half` leaves; raises CompileError.

    `largest`, `keep`: as in `to_half`.
    """
    try:
        typed: onnx.ModelProto = version_converter.convert_version(model, QDQ_OPSET)
    except Exception as error:  # onnx has no public parent for its errors
        raise CompileError(
            f"onnx {onnx.__version__} cannot bring it from operator set {opset_of(model)} to {QDQ_OPSET}: "
            f"{reason(error)}; leave int8 out (--precision fp32,fp16)"
        ) from error
    typed.ir_version = QDQ_IR
    del typed.graph.value_info[:]  # what the converter inferred, of types that change
    _round_scales(typed.graph)
    full = full_layers(typed, element_types(typed), largest, keep)
    half = to_half(typed, largest, keep)
    _check_types(half, {node.name for node in typed.graph.node if node.output[0] in full})
    return half


def _check_types(model: onnx.ModelProto, full: AbstractSet[str]) -> None:
    """Raises CompileError where TensorRT 11 would refuse a type, or compute in fp32 what is not in `full`, by name."""
    graph = given_graph(model.SerializeToString())
    for mismatch in infer_types(graph).mismatches:
        raise CompileError(f"int8 for TensorRT 11: {mismatch}; report it, and leave int8 out (--precision fp32,fp16)")
    wide = [node for node in by_file(graph) if node.type == "fp32" and node.name not in full]
    if wide:
        more = f" and {len(wide) - 1} more" if wide[1:] else ""
        raise CompileError(
            f"int8 for TensorRT 11: node {wide[0].name} ({wide[0].operator}){more} would compute in fp32, which fp16 "
            "holds; report it, and leave int8 out (--precision fp32,fp16)"
        )


def _round_scales(graph: onnx.GraphProto) -> None:
    """Scales that fp16 holds, and weights in levels of the new ones; left alone where fp16 holds none with all digits.

    A channel whose scale is too small gets SMALLEST: its weights err by no more than those of the largest channel.
    """
    values = constants(graph)
    changed = {}
    for node in graph.node:
        if node.op_type not in QUANTISING:
            continue
        stored, scale = (values.get(name) for name in node.input[:2])
        if scale is None or not SMALLEST <= scale.max() <= np.finfo(np.float16).max:
            continue
        rounded = _up_to_half(scale)
        changed[node.input[1]] = rounded
        if stored is not None:
            axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
            shape = [-1 if at == axis else 1 for at in range(stored.ndim)] if scale.ndim else []
            levels = np.rint(stored * (scale / rounded).reshape(shape))
            changed[node.input[0]] = levels.astype(np.int8)
    for tensor in graph.initializer:
        if tensor.name in changed:
            tensor.CopyFrom(constant_tensor(tensor.name, changed[tensor.name]))


def _up_to_half(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """The next numbers of fp16 that are not smaller, and at least SMALLEST: a level never leaves the int8 range."""
    half = np.maximum(scale, SMALLEST).astype(np.float16)
    return np.where(half < scale, np.nextafter(half, np.float16(np.inf)), half).astype(np.float32)
