"""The published networks: multiply-adds and parameters as published, and as our own modules count them."""

from __future__ import annotations

import pytest

from edgecvar.errors import ConfigError
from edgecvar.predict.published.catalog import NETWORKS, draw, network

TORCHVISION = {
    "alexnet": (0.714, 61_100_840),
    "densenet121": (2.834, 7_978_856),
    "densenet161": (7.728, 28_681_000),
    "densenet169": (3.360, 14_149_480),
    "densenet201": (4.291, 20_013_928),
    "efficientnet_b0": (0.386, 5_288_548),
    "efficientnet_b1": (0.687, 7_794_184),
    "inception_v1": (1.498, 6_624_904),
    "mnasnet0_5": (0.104, 2_218_512),
    "mnasnet0_75": (0.215, 3_170_208),
    "mnasnet1_0": (0.314, 4_383_312),
    "mnasnet1_3": (0.526, 6_282_256),
    "mobilenet_v2": (0.301, 3_504_872),
    "resnet18": (1.814, 11_689_512),
    "resnet34": (3.664, 21_797_672),
    "resnet50": (4.089, 25_557_032),
    "resnet101": (7.801, 44_549_160),
    "resnet152": (11.514, 60_192_808),
    "shufflenet_v2_x0_5": (0.0405, 1_366_792),
    "shufflenet_v2_x1_0": (0.145, 2_278_604),
    "shufflenet_v2_x1_5": (0.296, 3_503_624),
    "shufflenet_v2_x2_0": (0.583, 7_393_996),
    "squeezenet1_0": (0.819, 1_248_424),
    "squeezenet1_1": (0.349, 1_235_496),
    "vgg11": (7.609, 132_863_336),
    "vgg13": (11.308, 133_047_848),
    "vgg16": (15.470, 138_357_544),
    "vgg19": (19.632, 143_667_240),
}
"""10^9 multiply-adds and parameters of torchvision's models."""

ROUNDED = {
    "mobilenet_v1": (0.569, 4.23),
    "mobilenet_v1_0.5": (0.076, 1.33),
    "mobilenet_v1_0.25": (0.0136, 0.47),
    "efficientvit_b1": (0.52, 9.1),
    "efficientvit_b2": (1.6, 24),
    "efficientvit_b3": (4.0, 49),
    "yolov8n": (8.7 / 2, 3.16),
    "yolov8s": (28.6 / 2, 11.17),
    "yolo11n": (6.5 / 2, 2.62),
    "yolo11s": (21.5 / 2, 9.46),
    "yolo11m": (68.0 / 2, 20.1),
    "yolo11l": (86.9 / 2, 25.4),
    "yolo11x": (194.9 / 2, 56.97),
}
"""10^9 multiply-adds and 10^6 parameters, as the papers and repositories round them."""


@pytest.mark.parametrize("name", TORCHVISION)
def test_as_torchvision_publishes_it(name: str) -> None:
    giga, parameters = TORCHVISION[name]
    drawn = draw(name, "fp16")
    assert drawn.parameters == parameters
    assert drawn.multiply_adds / 1e9 == pytest.approx(giga, rel=0.01)


@pytest.mark.parametrize("name", ROUNDED)
def test_as_its_authors_round_it(name: str) -> None:
    giga, mega = ROUNDED[name]
    drawn = draw(name, "fp16")
    assert drawn.multiply_adds / 1e9 == pytest.approx(giga, rel=0.013)
    assert drawn.parameters / 1e6 == pytest.approx(mega, rel=0.014)


def test_slim_strides_later_for_less_work_and_the_same_parameters() -> None:
    ours, slim = draw("resnet50", "fp16"), draw("resnet50_slim", "fp16")
    assert ours.parameters == slim.parameters
    assert slim.multiply_adds / 1e9 == pytest.approx(6.97 / 2, rel=0.01)


def test_attp_has_the_parameters_of_its_paper() -> None:
    drawn = draw("attp", "fp16")
    assert drawn.parameters / 1e6 == pytest.approx(23.4, rel=0.01)
    assert drawn.multiply_adds > 3 * 0.9 * draw("efficientnet_b1", "fp16").multiply_adds


def test_one_layer_with_everything_that_is_fused_into_it() -> None:
    layer = network("resnet18", "fp16")[3]
    places = 56 * 56
    assert (layer.kind, layer.operators, layer.stride, layer.window) == ("dense", ("Conv", "Add", "Relu"), 1, 9)
    assert (layer.inputs, layer.outputs, layer.places) == (64, 64, places)
    assert layer.multiply_adds == 64 * 64 * 9 * places
    assert (layer.reads, layer.writes) == (2 * 2 * 64 * places, 2 * 64 * places)
    assert layer.weights == 2 * (64 * 64 * 9 + 64)
    assert layer.nodes == ("3.Conv", "3.Conv.Add", "3.Conv.Relu")


def test_kinds_of_a_mobile_block_and_of_a_gate() -> None:
    layers = network("efficientnet_b0", "int8")
    kinds = [(layer.kind, layer.operators) for layer in layers[:9]]
    assert kinds == [
        ("dense", ("Conv",)),
        ("elementwise", ("Sigmoid", "Mul")),
        ("depthwise", ("Conv",)),
        ("elementwise", ("Sigmoid", "Mul")),
        ("reduction", ("GlobalAveragePool",)),
        ("pointwise", ("Conv",)),
        ("elementwise", ("Sigmoid", "Mul")),
        ("pointwise", ("Conv",)),
        ("elementwise", ("Sigmoid", "Mul")),
    ]
    gate = layers[8]
    assert gate.reads == 32 * 112 * 112 + 32


def test_precision_sets_bytes_and_batch_all_but_the_weights() -> None:
    single, wide, many = (network("mobilenet_v2", *asked)[5] for asked in (["int8"], ["fp32"], ["int8", None, 8]))
    assert (wide.reads, wide.weights, wide.writes) == (4 * single.reads, 4 * single.weights, 4 * single.writes)
    assert many.weights == single.weights
    assert (many.reads, many.writes, many.places) == (8 * single.reads, 8 * single.writes, 8 * single.places)
    assert many.multiply_adds == 8 * single.multiply_adds


def test_a_size_of_its_own() -> None:
    small, large = (draw("vgg11", "fp16", (3, side, side)).multiply_adds for side in (64, 128))
    assert 3 < large / small < 4
    assert draw("efficientnet_b1", "fp16").multiply_adds == draw("efficientnet_b1", "fp16", (3, 240, 240)).multiply_adds


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_whole(name: str) -> None:
    layers = network(name, "fp16")
    assert len({layer.name for layer in layers}) == len(layers)
    for layer in layers:
        assert min(layer.reads, layer.writes, layer.places, layer.inputs, layer.outputs, layer.window) > 0
        worked = layer.kind in ("dense", "pointwise", "grouped", "depthwise", "matmul")
        assert (layer.multiply_adds > 0) == worked
        if worked:
            assert layer.multiply_adds == layer.places * layer.outputs * layer.inputs * layer.window


def test_an_unknown_name_says_the_nearest() -> None:
    with pytest.raises(ConfigError, match="resnet50"):
        network("resnet5O", "fp16")


@pytest.mark.train
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_b0", "efficientnet_b1", "efficientnet_lite0"])
def test_exactly_our_own_modules(name: str) -> None:
    torch = pytest.importorskip("torch", reason="needs the train extra")
    from edgecvar.nets.backbones.efficientnet import BACKBONES, EfficientNet
    from edgecvar.nets.backbones.resnet import RESNETS, ResNet

    if name.startswith("resnet"):
        module = ResNet(RESNETS[name], classes=1000)
    else:
        module = EfficientNet(BACKBONES[name.replace("efficientnet_lite", "lite")], classes=1000)
    counted = []

    def count(layer: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        outputs = output[0].numel() // (output.shape[1])
        counted.append(layer.weight.numel() * outputs)

    for layer in module.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(count)
    with torch.no_grad():
        module.eval()(torch.zeros(1, 3, 96, 96))
    drawn = draw(name, "fp16", (3, 96, 96))
    assert drawn.multiply_adds == sum(counted)
    assert drawn.parameters == sum(parameter.numel() for parameter in module.parameters())
