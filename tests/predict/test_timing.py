"""A layer's time is the larger of computing and carrying, beside what every kernel takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgecvar.bundle.devices import DEVICES
from edgecvar.predict.fitted import fitted_model
from edgecvar.predict.hardware import gpu_of, predicted_devices
from edgecvar.predict.published.catalog import network
from edgecvar.predict.timing import FAMILIES, KINDS, MATRIX, PRIOR, Costs, time_layers
from edgecvar.predict.work import Layer

FOUND = fitted_model().coefficients
TX2, ORIN = gpu_of(DEVICES["tx2"]), gpu_of(DEVICES["orin-nx"])


def layer(kind="dense", side=56, channels=64, precision="fp16", window=9, **changes):
    """A convolution of so many channels in and out."""
    inputs = 1 if kind == "depthwise" else channels
    width = {"int8": 1, "fp16": 2, "fp32": 4}[precision]
    size, weights = width * channels * side * side, channels * inputs * window
    made = Layer(
        "c", kind, ("Conv",), ("c",), precision, weights * side * side, size, width * weights, size,
        places=side * side, inputs=inputs, outputs=channels, window=window,
    )  # fmt: skip
    return replace(made, **changes)


def ms(one, gpu=ORIN, rows=1, found=FOUND):
    return time_layers([one], gpu, found, rows)[0].ms


def test_kinds_and_families_are_all_there():
    assert set(predicted_devices().values()) == set(FAMILIES)
    assert set(FOUND) >= set(PRIOR) >= {*FAMILIES, *MATRIX, "depthwise"}
    assert len(set(KINDS)) == 9


@pytest.mark.parametrize("gpu", [TX2, ORIN])
@pytest.mark.parametrize("kind", KINDS)
def test_a_larger_layer_takes_longer(gpu, kind):
    sizes = [ms(layer(kind, side=side), gpu) for side in (7, 14, 28, 56, 112)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    wider = [ms(layer(kind, channels=channels), gpu) for channels in (32, 64, 128, 256)]
    assert wider == sorted(wider) and wider[0] < wider[-1]


def test_a_faster_gpu_and_a_narrower_precision_take_less():
    large = layer(side=112, channels=256)
    assert ms(large, ORIN) < ms(large, TX2)
    assert ms(large, TX2.scaled(2.0, 2.0)) == pytest.approx(ms(large, TX2) / 2)
    wide, narrow = (layer(side=112, channels=256, precision=each) for each in ("fp32", "int8"))
    assert ms(narrow) < ms(large) < ms(wide)


def test_no_kernel_is_faster_than_its_floor():
    floor = FOUND["kernel_us"] * FOUND["graph"] / ORIN.clock_ghz / 1e3
    (nothing,) = time_layers([layer(side=1, channels=1, window=1)], ORIN, FOUND)
    assert nothing.ms == pytest.approx(floor, rel=0.02) and nothing.bound == "launch"
    assert ms(layer(side=1, channels=1, window=1), ORIN.scaled(0.5)) == pytest.approx(2 * floor, rel=0.02)


def test_rows_share_the_weights_and_the_launch():
    fat = layer("matmul", side=1, channels=4096, window=1)
    (one,), (four,) = (time_layers([fat], ORIN, FOUND, rows) for rows in (1, 4))
    assert one.bound == four.bound == "memory" and four.ms < 1.05 * one.ms
    # What carries activations alone shares nothing but the launch.
    bare = layer("elementwise", side=112, channels=256, multiply_adds=0, weights=0)
    floor = FOUND["kernel_us"] * FOUND["graph"] / ORIN.clock_ghz / 1e3
    assert ms(bare, rows=4) - floor == pytest.approx(4 * (ms(bare) - floor))


@pytest.mark.parametrize(
    "one, bound",
    [
        (layer(side=112, channels=512), "compute"),
        (layer("elementwise", side=112, channels=512, multiply_adds=0, weights=0), "memory"),
        (layer("matmul", side=1, channels=4096, window=1), "memory"),
        (layer(side=1, channels=8), "launch"),
    ],
)
def test_what_bounds_a_layer_is_named(one, bound):
    (time,) = time_layers([one], ORIN, FOUND)
    assert time.bound == bound
    assert (time.name, time.kind, time.precision, time.nodes) == ("c", one.kind, "fp16", ["c"])
    assert (time.multiply_adds, time.bytes) == (one.multiply_adds, one.moved)


def test_cores_are_faster_at_three_by_three_and_tensor_cores_are_not():
    plain = {**FOUND, "winograd": 1.0}
    large = layer(side=112, channels=256)
    assert ms(large, TX2) < ms(large, TX2, found=plain)
    assert ms(large, ORIN) == ms(large, ORIN, found=plain)
    assert ms(replace(large, stride=2), TX2) == ms(replace(large, stride=2), TX2, found=plain)


def test_depthwise_layers_gain_nothing_from_int8():
    half, narrow = (layer("depthwise", side=112, channels=256, precision=each) for each in ("fp16", "int8"))
    assert ms(narrow) == pytest.approx(ms(half), rel=0.01)


def test_a_call_is_its_layers_and_its_transfers():
    layers = network("mobilenet_v2", "fp16")
    (call,) = Costs.of(layers, ORIN).call_ms(FOUND)
    assert call == pytest.approx(
        sum(each.ms for each in time_layers(layers, ORIN, FOUND)) + FOUND["call_us"] / ORIN.clock_ghz / 1e3
    )
    assert time_layers([], ORIN, FOUND) == []


def test_calls_that_are_joined_are_the_same_calls():
    calls = [
        Costs.of(network(name, "fp16"), gpu, rows)
        for name in ("alexnet", "resnet18")
        for gpu in (TX2, ORIN)
        for rows in (1, 8)
    ]
    apart = [call.call_ms(FOUND)[0] for call in calls]
    np.testing.assert_allclose(Costs.joined(calls).call_ms(FOUND), apart)
    assert len(set(apart)) == len(apart)


def test_without_a_cuda_graph_every_kernel_takes_longer():
    layers = network("resnet18", "fp16")
    inside, outside = (Costs.of(layers, ORIN, graph=graph).call_ms(FOUND)[0] for graph in (True, False))
    more = len(layers) * FOUND["kernel_us"] * (1 - FOUND["graph"]) / ORIN.clock_ghz / 1e3
    assert outside - inside == pytest.approx(more)
