"""What becomes one kernel: each rule on a graph written for it."""

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.predict.fusion import FusionRules, fuse
from edgecvar.predict.graph import read_graph
from tests.predict.onnx_file import OnnxFile

AREA = 8 * 8
PLAIN = FusionRules()


def fused(file, output, precision="fp32", rules=PLAIN, opset=13):
    return fuse(read_graph(file.content(*output.split(), opset=opset)), precision, rules)


def operators(layers):
    return [layer.operators for layer in layers]


def chain(file, read, *names):
    """Operators of one input, one behind the other."""
    for name in names:
        read = file.call(name, read)
    return read


def test_a_convolution_takes_its_activation_along_and_is_counted():
    file = OnnxFile(x=[3, 8, 8])
    (layer,) = fused(file, file.call("Relu", file.conv("x", (16, 3, 3, 3), name="c"), name="r"))
    assert (layer.name, layer.kind, layer.operators, layer.nodes) == ("c", "dense", ("Conv", "Relu"), ("c", "r"))
    assert layer.multiply_adds == 16 * 3 * 9 * AREA
    assert (layer.reads, layer.weights, layer.writes) == (4 * 3 * AREA, 4 * 16 * 3 * 9, 4 * 16 * AREA)
    assert (layer.places, layer.inputs, layer.outputs, layer.window, layer.stride) == (AREA, 3, 16, 9, 1)
    assert layer.moved == layer.reads + layer.weights + layer.writes


@pytest.mark.parametrize(
    "shape, groups, kind, inputs",
    [
        ((8, 4, 1, 1), 1, "pointwise", 4),
        ((8, 2, 3, 3), 2, "grouped", 2),
        ((4, 1, 3, 3), 4, "depthwise", 1),
        ((8, 4, 5, 5), 1, "dense", 4),
    ],
)
def test_kinds_of_convolutions(shape, groups, kind, inputs):
    file = OnnxFile(x=[4, 8, 8])
    (layer,) = fused(file, file.conv("x", shape, group=groups))
    assert (layer.kind, layer.inputs, layer.outputs) == (kind, inputs, shape[0])
    assert layer.multiply_adds == AREA * int(np.prod(shape))


def test_a_stride_leaves_fewer_places():
    file = OnnxFile(x=[4, 8, 8])
    (layer,) = fused(file, file.conv("x", (4, 4, 3, 3), strides=[2, 2]))
    assert (layer.stride, layer.places, layer.reads) == (2, 16, 4 * 4 * AREA)


def test_a_convolution_in_three_dimensions_and_one_that_widens():
    file = OnnxFile(x=[4, 5, 8, 8])
    (deep,) = fused(file, file.conv("x", (6, 4, 3, 3, 3)))
    assert (deep.kind, deep.window, deep.places) == ("dense", 27, 5 * AREA)
    assert deep.multiply_adds == 6 * 4 * 27 * 5 * AREA
    file = OnnxFile(x=[4, 8, 8])
    weights = file.stored(np.ones((4, 6, 2, 2), np.float32))
    (wide,) = fused(file, file.call("ConvTranspose", "x", weights, strides=[2, 2]))
    assert (wide.multiply_adds, wide.places, wide.outputs) == (4 * AREA * 6 * 4, 4 * AREA, 6)


def test_constants_become_part_of_the_weights():
    """A scale, a shift and a clip: no kernels; what follows from constants alone neither."""
    file = OnnxFile(x=[3, 8, 8])
    each = file.call("Neg", file.stored(np.ones((4, 1, 1), np.float32)))
    scaled = file.call("Mul", file.conv("x", (4, 3, 3, 3)), each)
    shifted = file.call("Sub", each, scaled)
    low = file.stored(np.zeros((), np.float32))
    assert operators(fused(file, file.call("Clip", shifted, low))) == [("Conv", "Mul", "Sub", "Clip")]


@pytest.mark.parametrize("activation", [(), ("Relu",)])
def test_a_sum_goes_with_the_branch_that_ends_last_and_once(activation):
    file = OnnxFile(x=[4, 8, 8])
    first = file.conv("x", (4, 4, 3, 3), name="first")
    last = file.conv("x", (4, 4, 1, 1), name="last")
    apart, summed = fused(file, chain(file, file.call("Add", first, last), *activation))
    assert (apart.name, apart.operators, apart.reads) == ("first", ("Conv",), 4 * 4 * AREA)
    assert (summed.name, summed.operators) == ("last", ("Conv", "Add", *activation))
    assert (summed.kind, summed.reads) == ("pointwise", 2 * 4 * 4 * AREA)


def test_of_two_sums_a_convolution_takes_one():
    file = OnnxFile(x=[4, 8, 8])
    once = file.call("Add", file.conv("x", (4, 4, 3, 3)), "x")
    layers = fused(file, file.call("Add", once, "x"))
    assert operators(layers) == [("Conv", "Add"), ("Add",)]


def test_a_sum_that_spreads_out_is_a_kernel_of_its_own():
    file = OnnxFile(x=[4, 8, 8])
    row = file.call("ReduceMean", "x", axes=[2, 3], keepdims=1)
    layers = fused(file, file.call("Add", file.conv("x", (4, 4, 3, 3)), row))
    assert operators(layers) == [("ReduceMean",), ("Conv",), ("Add",)]
    assert [layer.kind for layer in layers] == ["reduction", "dense", "elementwise"]


def test_what_a_stage_gives_is_not_taken_along():
    file = OnnxFile(x=[4, 8, 8])
    conv = file.conv("x", (4, 4, 3, 3))
    layers = fused(file, f"{file.call('Relu', conv)} {conv}")
    assert operators(layers) == [("Conv",), ("Relu",)]


@pytest.mark.parametrize(
    "version, sm, swish", [((8, 5), 87, False), ((8, 6), 72, False), ((8, 6), 87, True), ((10, 16), 110, True)]
)
def test_a_swish_is_fused_from_8_6_on_ampere(version, sm, swish):
    file = OnnxFile(x=[4, 8, 8])
    conv = file.conv("x", (4, 4, 3, 3))
    layers = fused(file, file.call("Mul", conv, file.call("Sigmoid", conv)), rules=FusionRules.of(version, sm))
    assert operators(layers) == ([("Conv", "Sigmoid", "Mul")] if swish else [("Conv",), ("Sigmoid", "Mul")])
    assert layers[-1].reads == 4 * 4 * AREA


def test_a_gate_is_no_swish_and_squeeze_and_excitation_is_five_kernels():
    file = OnnxFile(x=[8, 8, 8])
    maps = file.call("Relu", file.conv("x", (8, 8, 3, 3)))
    squeezed = file.call("Relu", file.conv(file.call("GlobalAveragePool", maps), (2, 8, 1, 1)))
    gate = file.call("Sigmoid", file.conv(squeezed, (8, 2, 1, 1)))
    layers = fused(file, file.call("Mul", maps, gate), rules=FusionRules(swish=True))
    assert operators(layers) == [
        ("Conv", "Relu"),
        ("GlobalAveragePool",),
        ("Conv", "Relu"),
        ("Conv",),
        ("Sigmoid", "Mul"),
    ]
    assert layers[-1].reads == 4 * (8 * AREA + 8) and layers[-1].places == AREA


def test_a_concatenation_is_free_and_a_slice_is_not():
    file = OnnxFile(x=[4, 8, 8])
    both = file.call("Concat", file.conv("x", (4, 4, 3, 3)), file.conv("x", (4, 4, 1, 1)), axis=1)
    bounds = (file.stored(np.array([place], np.int64)) for place in (0, 2, 1))
    part = file.call("Slice", both, *bounds)
    layers = fused(file, file.conv(part, (4, 2, 3, 3)))
    assert operators(layers) == [("Conv",), ("Conv",), ("Slice",), ("Conv",)]
    slice_ = layers[2]
    assert (slice_.kind, slice_.reads, slice_.writes) == ("movement", 4 * 2 * AREA, 4 * 2 * AREA)


def test_a_split_writes_all_its_parts():
    file = OnnxFile(x=[4, 8, 8])
    parts = file.call("Split", "x", outputs=2, axis=1)
    (layer,) = fused(file, f"{parts} {parts}.1")
    assert (layer.kind, layer.reads, layer.writes) == ("movement", 4 * 4 * AREA, 4 * 4 * AREA)


def test_views_move_nothing():
    file = OnnxFile(x=[4, 8, 8])
    flat = file.call("Flatten", file.conv("x", (4, 4, 3, 3)), axis=1)
    layers = fused(file, file.call("Gemm", flat, file.stored(np.ones((256, 10), np.float32))))
    assert operators(layers) == [("Conv",), ("Gemm",)]
    assert (layers[1].reads, layers[1].weights, layers[1].multiply_adds) == (4 * 256, 4 * 2560, 2560)


def test_products_of_activations_have_no_weights_and_those_with_stored_ones_have():
    file = OnnxFile(x=[2, 6, 5], y=[2, 5, 7])
    (product,) = fused(file, file.call("MatMul", "x", "y"))
    assert (product.kind, product.weights, product.multiply_adds) == ("matmul", 0, 2 * 6 * 5 * 7)
    assert (product.reads, product.inputs, product.outputs, product.places) == (4 * (60 + 70), 5, 7, 12)
    file = OnnxFile(x=[5])
    weights, bias = file.stored(np.ones((7, 5), np.float32)), file.stored(np.ones(7, np.float32))
    (gemm,) = fused(file, file.call("Relu", file.call("Gemm", "x", weights, bias, transB=1)))
    assert (gemm.operators, gemm.multiply_adds, gemm.weights) == (("Gemm", "Relu"), 35, 4 * 35)


def quantised_pair(cast=False):
    """Two convolutions in int8, and a third that was kept; `cast`: typed strongly, in fp16 but for the ends."""
    file = OnnxFile(x=[4, 8, 8])
    start = file.call("Cast", "x", to=10) if cast else "x"
    scale = "float16" if cast else "float32"

    def weights(shape):
        stored = file.stored(np.ones(shape, scale))
        return file.quantised(stored, scale)

    first = file.call("Conv", file.quantised(start, scale), weights((4, 4, 1, 1)), name="first")
    second = file.call(
        "Conv", file.quantised(file.call("Relu", first, name="r"), scale), weights((4, 4, 1, 1)), name="second"
    )
    third = file.call("Conv", second, file.stored(np.ones((4, 4, 1, 1), scale)), name="third")
    return file, file.call("Cast", third, to=1) if cast else third


def test_int8_reads_a_byte_and_writes_one_where_all_readers_quantise():
    first, second, third = fused(*quantised_pair(), "int8")
    assert [layer.precision for layer in (first, second, third)] == ["int8", "int8", "fp16"]
    assert (first.reads, first.weights, first.writes) == (4 * AREA, 16, 4 * AREA)
    assert (second.reads, second.weights, second.writes) == (4 * AREA, 16, 2 * 4 * AREA)
    assert (third.reads, third.weights, third.writes) == (2 * 4 * AREA, 2 * 16, 4 * 4 * AREA)


def test_where_one_reader_quantises_and_another_does_not_a_kernel_does():
    file = OnnxFile(x=[4, 8, 8])
    first = file.conv("x", (4, 4, 1, 1), name="first")
    second = file.conv(file.quantised(first), (4, 4, 1, 1), name="second", int8=True)
    layers = fused(file, file.call("Add", second, first), "int8")
    assert operators(layers) == [("Conv",), ("QuantizeLinear",), ("Conv", "Add")]
    apart = layers[1]
    assert (apart.name, apart.kind) == ("first.quantise", "movement")
    assert (layers[0].writes, apart.reads, apart.writes) == (2 * 4 * AREA, 2 * 4 * AREA, 4 * AREA)
    assert layers[2].reads == 4 * AREA + 2 * 4 * AREA


def test_a_strongly_typed_file_counts_as_the_weak_one():
    weak, strong = (fused(*quantised_pair(cast=cast), "int8", opset=19) for cast in (False, True))
    assert [layer.precision for layer in weak] == ["int8", "int8", "fp16"]
    assert weak == strong


def test_a_file_in_fp32_is_counted_as_fp16_and_kept_layers_are_not():
    def layers(cast):
        file = OnnxFile(x=[4, 8, 8])
        start, kind = (file.call("Cast", "x", to=10), np.float16) if cast else ("x", np.float32)
        first = file.call("Conv", start, file.stored(np.ones((4, 4, 1, 1), kind)), name="first")
        middle = file.call("Conv", first, file.stored(np.ones((4, 4, 1, 1), kind)), name="middle")
        wide = file.call("Cast", middle, to=1) if cast else middle
        kept = file.call("Conv", wide, file.stored(np.ones((4, 4, 1, 1), np.float32)), name="kept")
        return fused(file, kept, "fp16")

    plain, mixed = layers(False), layers(True)
    assert [layer.precision for layer in plain] == ["fp16"] * 3
    assert [layer.precision for layer in mixed] == ["fp16", "fp16", "fp32"]
    assert (plain[1], plain[2].weights) == (mixed[1], 2 * 16)
    assert mixed[2].weights == 4 * 16


def test_nothing_is_counted_where_nothing_is_computed():
    file = OnnxFile(x=[4, 8, 8])
    assert fused(file, file.call("Identity", "x")) == []
