"""Which routine computes a node, and how much work that is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import List, Sequence, Tuple

from edgecvar.predict.cpu.kernels import BLOCK, Convolution, Kernel, carrying, padded, pooling
from edgecvar.predict.graph import Graph, Node, Tensor
from edgecvar.predict.work import Layer

VIEWS = {"Reshape", "Unsqueeze", "Squeeze", "Flatten", "Shape", "Size", "Cast"}
COPIES = {"Concat", "Slice", "Split", "Pad", "Expand", "Gather", "Tile", "ConstantOfShape", "Where"}
SIGMOIDS = {"Sigmoid", "Tanh", "Exp", "Erf"}
BINARY = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sum"}
POOLS = {"MaxPool", "AveragePool"}


def convolution(graph: Graph, node: Node) -> Convolution:
    """Of one row of the batch: the engine takes them one by one."""
    taken, written = graph.tensors[node.inputs[0]].shape, graph.tensors[node.outputs[0]].shape
    weights = graph.tensors[node.inputs[1]].shape
    return Convolution(
        inputs=weights[1],
        outputs=weights[0],
        window=math.prod(weights[2:]),
        places=math.prod(written[2:]),
        stride=max(_whole(node, "strides")),
        groups=int(node.attributes.get("group", 1)),  # type: ignore[arg-type]
        taken=math.prod(taken[2:]),
    )


def routine_of_convolution(sizes: Convolution, dims: int, blocked: bool, quantised: bool) -> str:
    if quantised:
        return "quantised"
    kind = sizes.kind if sizes.kind != "grouped" else "dense"
    if blocked:
        few = sizes.inputs < BLOCK and sizes.groups == 1
        return f"blocked {'squeeze' if sizes.window == 1 else 'direct'}" if few else f"blocked {kind}"
    return "plain volume" if dims == 3 and kind == "dense" else f"plain {kind}"


def reordered(graph: Graph, name: str) -> Kernel:
    shape = graph.tensors[name].shape
    whole = (shape[0], padded(shape[1]), *shape[2:]) if len(shape) > 1 else shape
    carried = 4 * math.prod(whole)
    return Kernel("reorder", replace(carrying("movement", whole, carried, carried), operators=("Reorder",)))


def other(graph: Graph, node: Node, operator: str, blocked: bool) -> Kernel:
    """Of everything but convolutions."""
    given = [graph.tensors[name] for name in node.inputs if name in graph.tensors]
    written = graph.tensors[node.outputs[0]]
    reads = sum(each.bytes for each in given)
    writes = sum(graph.tensors[name].bytes for name in node.outputs if name in graph.tensors)
    if operator in ("Gemm", "MatMul"):
        return Kernel("matmul", _product(given, written))
    if operator == "DequantizeLinear" and given[0].constant:
        shape = given[0].shape if len(given[0].shape) > 1 else (1, *given[0].shape)
        layer = carrying("elementwise", (1, shape[0], *shape[1:]), 0, writes, given[0].bytes)
        return Kernel("dequantise weights", layer)
    if operator in BINARY:
        return _binary(node, given, written)
    if operator.startswith("Reduce") or operator == "GlobalAveragePool":
        return _reduced(given[0], written)
    if operator in POOLS:
        return _pooled(node, written, blocked)
    layer = carrying("elementwise", written.shape, reads, writes)
    if written.dtype in ("int64", "int32", "bool") or operator in VIEWS:
        return Kernel("view", carrying("movement", (), 1, 1))
    if operator == "BatchNormalization":
        return Kernel("binary rows", layer)
    if operator in COPIES:
        return Kernel("copy", carrying("movement", _largest([*given, written]), reads, writes))
    named = {"QuickGelu": "gelu", "Softmax": "softmax", "Transpose": "transpose", "Resize": "resize"}
    named.update({"QuantizeLinear": "quantise", "DequantizeLinear": "dequantise"})
    return Kernel(named.get(operator, "sigmoid" if operator in SIGMOIDS else "relu"), layer)


def _largest(tensors: Sequence[Tensor]) -> Tuple[int, ...]:
    return max((each.shape for each in tensors), key=math.prod)


def _product(given: List[Tensor], written: Tensor) -> Layer:
    inner = given[0].shape[-1] if given[0].shape else 1
    outputs = written.shape[-1] if written.shape else 1
    return Convolution(inner, outputs, 1, max(written.elements // max(outputs, 1), 1)).layer()


def _binary(node: Node, given: List[Tensor], written: Tensor) -> Kernel:
    carried = 4 * written.elements
    whole = sum(4 * each.elements for each in given)
    large = [each for each in given if each.elements == written.elements]
    small = [each for each in given if each.elements < written.elements]
    if not small:
        return Kernel("binary", carrying("elementwise", written.shape, whole, carried))
    if min(each.elements for each in small) == 1 and large:
        return Kernel("relu", carrying("elementwise", written.shape, carried, carried))
    # One value for a run of places, or a run of values for each of several.
    shape = (1,) * (len(written.shape) - len(small[0].shape)) + small[0].shape
    run = 1
    for size, full in zip(reversed(shape), reversed(written.shape)):
        if size != 1:
            break
        run *= full
    routine = "binary rows" if run > 1 else "binary planes"
    if run == 1:
        for size, full in zip(reversed(shape), reversed(written.shape)):
            if size != full:
                break
            run *= full
    run = max(run, 1)
    return Kernel(routine, carrying("elementwise", (1, written.elements // run, run), carried, carried))


def _reduced(given: Tensor, written: Tensor) -> Kernel:
    kept = max(written.elements, 1)
    gone = max(given.elements // kept, 1)
    sizes = [size for size in written.shape if size != 1]
    leading = [size for size in given.shape if size != 1][: len(sizes)]
    rows = sizes == leading
    shape = (1, kept, gone) if rows else (1, gone, kept)
    return Kernel("reduce rows" if rows else "reduce planes", carrying("reduction", shape, given.bytes, 0))


def _pooled(node: Node, written: Tensor, blocked: bool) -> Kernel:
    window = math.prod(_whole(node, "kernel_shape"))
    stride = max(_whole(node, "strides"))
    layer = pooling(written.shape, window, stride)
    name = "pool blocked" if blocked else "pool plain" if node.operator == "MaxPool" else "average plain"
    return Kernel(name, layer)


def _whole(node: Node, name: str) -> Tuple[int, ...]:
    value = node.attributes.get(name)
    return tuple(int(each) for each in value) if isinstance(value, tuple) else (1,)
