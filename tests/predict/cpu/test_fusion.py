"""Kernels that a graph comes to, held against the model that ONNX Runtime itself writes after optimising it."""

from __future__ import annotations

import platform
from collections import Counter
from typing import Callable, Dict

import pytest

from edgecvar.predict.cpu.fusion import cpu_kernels
from edgecvar.predict.cpu.sketch import Sketch
from edgecvar.predict.graph import read_graph
from edgecvar.runners.onnx import onnx_runtime, session_options
from edgecvar.runners.onnx_nodes import read_nodes

VERSION = tuple(int(part) for part in onnx_runtime().__version__.split(".")[:2])
Draw = Callable[[Sketch], str]


def conv(sketch: Sketch, value: str, inputs: int, outputs: int, kernel: int = 3, group: int = 1) -> str:
    weights = sketch.weights((outputs, inputs // group, kernel, kernel))
    attributes = {"kernel_shape": (kernel, kernel), "pads": (kernel // 2,) * 4, "group": group}
    return sketch.node("Conv", [value, weights, sketch.weights((outputs,))], attributes)


def activated(sketch: Sketch) -> str:
    return sketch.node("Relu", [conv(sketch, sketch.given((1, 32, 8, 8)), 32, 16)])


def residual(sketch: Sketch) -> str:
    first = sketch.node("Relu", [conv(sketch, sketch.given((1, 3, 8, 8)), 3, 32)])
    again = conv(sketch, sketch.node("Relu", [conv(sketch, first, 32, 32)]), 32, 32)
    return sketch.node("Relu", [sketch.node("Add", [again, first])])


def squeezed(sketch: Sketch) -> str:
    """MobileNet's block with squeeze and excitation, as EfficientNet has it."""

    def swish(value: str) -> str:
        return sketch.node("Mul", [value, sketch.node("Sigmoid", [value])])

    wide = swish(conv(sketch, sketch.given((1, 32, 8, 8)), 32, 64, 1))
    deep = swish(conv(sketch, wide, 64, 64, 3, group=64))
    mean = sketch.node("ReduceMean", [deep], {"axes": (2, 3)})
    scale = sketch.node("Sigmoid", [conv(sketch, swish(conv(sketch, mean, 64, 16, 1)), 16, 64, 1)])
    return conv(sketch, sketch.node("Mul", [deep, scale]), 64, 32, 1)


def few_channels(sketch: Sketch) -> str:
    """Between 16 and a multiple of four: it stays as it is."""
    return sketch.node("LeakyRelu", [conv(sketch, sketch.given((1, 21, 8, 8)), 21, 16)])


def pooled(sketch: Sketch) -> str:
    wide = conv(sketch, sketch.given((1, 3, 8, 8)), 3, 16)
    return sketch.node("MaxPool", [wide], {"kernel_shape": (2, 2), "strides": (2, 2)})


def optimised(model: bytes, path: str) -> Dict[str, int]:
    options = session_options(1, as_written=False)
    options.optimized_model_filepath = path
    onnx_runtime().InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with open(path, "rb") as file:
        operators = Counter(node.operator for node in read_nodes(file.read()))
    merged = {"FusedConv": "Conv", "ReorderInput": "Reorder", "ReorderOutput": "Reorder"}
    counts: Dict[str, int] = Counter()
    for operator, count in operators.items():
        counts[merged.get(operator, operator)] += count
    return counts


OPERATORS = {"gelu": "QuickGelu", "reorder": "Reorder", "relu": "Relu", "sigmoid": "Sigmoid", "binary rows": "Mul"}
OPERATORS.update({"binary": "Add", "reduce rows": "ReduceMean", "pool blocked": "MaxPool"})


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the blocked layout is x86's")
@pytest.mark.parametrize("draw", [activated, residual, squeezed, few_channels, pooled])
def test_the_kernels_are_those_of_onnx_runtime(draw: Draw, tmp_path):
    sketch = Sketch()
    model = sketch.model([(draw(sketch), "float32")])
    found: Dict[str, int] = Counter()
    for kernel in cpu_kernels(read_graph(model)):
        convolution = kernel.routine.startswith(("blocked", "plain"))
        found["Conv" if convolution else OPERATORS[kernel.routine]] += 1
    expected = optimised(model, str(tmp_path / "optimised.onnx"))
    if draw is squeezed and VERSION < (1, 31):  # older ones leave the blocked layout around QuickGelu
        assert found.pop("Reorder") <= expected.pop("Reorder")
    assert found == expected


def quantised(sketch: Sketch, after: str) -> str:
    """A convolution between Q and DQ; `after`: "q" where Q follows it at once, or an activation before it."""
    scale, zero = sketch.constant(0.02), sketch.constant(0, "int8")

    def pair(value: str) -> str:
        return sketch.node("DequantizeLinear", [sketch.node("QuantizeLinear", [value, scale, zero]), scale, zero])

    weights = sketch.weights((32, 32, 3, 3), "int8")
    scales, zeros = sketch.constant([0.01] * 32), sketch.constant([0] * 32, "int8")
    floats = sketch.node("DequantizeLinear", [weights, scales, zeros], {"axis": 0})
    attributes = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}
    made = sketch.node("Conv", [pair(sketch.given((1, 32, 8, 8))), floats], attributes)
    return sketch.node("Abs", [pair(made if after == "q" else sketch.node(after, [made]))])


def routines(sketch: Sketch, output: str) -> Counter:
    return Counter(kernel.routine for kernel in cpu_kernels(read_graph(sketch.model([(output, "float32")]))))


def test_int8_is_computed_where_q_follows_at_once():
    sketch = Sketch()
    found = routines(sketch, quantised(sketch, "q"))
    assert found == {"quantise": 1, "transpose": 2, "quantised": 1, "dequantise": 1, "relu": 1}


def test_int8_is_turned_back_where_an_activation_is_between():
    sketch = Sketch()
    found = routines(sketch, quantised(sketch, "Relu"))
    assert found == {"quantise": 2, "dequantise": 2, "dequantise weights": 1, "plain dense": 1, "relu": 1}


def test_every_node_is_in_one_kernel_at_most():
    sketch = Sketch()
    graph = read_graph(sketch.model([(squeezed(sketch), "float32")]))
    names = [name for kernel in cpu_kernels(graph) for name in kernel.layer.nodes]
    assert sorted(names) == sorted(node.name for node in graph.nodes)


def test_rows_of_a_batch_are_taken_one_by_one():
    sketch = Sketch()
    output = conv(sketch, sketch.given((8, 32, 4, 4)), 32, 48)
    kernel = next(
        each for each in cpu_kernels(read_graph(sketch.model([(output, "float32")]))) if each.routine == "blocked dense"
    )
    assert (kernel.times, kernel.layer.multiply_adds) == (8, 32 * 48 * 9 * 16)
