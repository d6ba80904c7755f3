"""MobileNetV2 against its paper's table 2 under torchvision's names, and against a plain restatement of its block."""

from __future__ import annotations

from typing import Dict, List, Tuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.choice import NAMED, picture_backbone, picture_options
from edgecvar.nets.backbones.mobilenet import (
    MOBILENETS,
    ROWS,
    LinearBottleneck,
    MobileNetOptions,
    MobileNetV2,
)
from edgecvar.nets.backbones.resnet import ResNet, ResNetOptions

pytestmark = pytest.mark.train

Shapes = Dict[str, Tuple[int, ...]]

TABLE_2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
"""t, c, n and s of each row of bottlenecks."""


def normed(name: str, channels: int) -> Shapes:
    kinds = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{kind}": (channels,) for kind in kinds}, f"{name}.num_batches_tracked": ()}


def block(name: str, inputs: int, expand: int, outputs: int) -> Shapes:
    """torchvision's: each convolution but the last is one deeper, with its batch norm and ReLU6; two come after."""
    inner, shapes = inputs * expand, {}
    layers: List[Tuple[int, ...]] = [(inner, inputs, 1, 1)] if expand > 1 else []
    for place, shape in enumerate([*layers, (inner, 1, 3, 3)]):
        shapes[f"{name}.conv.{place}.0.weight"] = shape
        shapes.update(normed(f"{name}.conv.{place}.1", inner))
    last = len(layers) + 1
    return {
        **shapes,
        f"{name}.conv.{last}.weight": (outputs, inner, 1, 1),
        **normed(f"{name}.conv.{last + 1}", outputs),
    }


def published() -> Shapes:
    """What torchvision's file holds, by table 2 and torchvision's way of nesting."""
    shapes: Shapes = {"features.0.0.weight": (32, 3, 3, 3), **normed("features.0.1", 32)}
    channels, place = 32, 1
    for expand, outputs, repeats, _ in TABLE_2:
        for _ in range(repeats):
            shapes.update(block(f"features.{place}", channels, expand, outputs))
            channels, place = outputs, place + 1
    shapes.update({"features.18.0.weight": (1280, 320, 1, 1), **normed("features.18.1", 1280)})
    return {**shapes, "classifier.1.weight": (1000, 1280), "classifier.1.bias": (1000,)}


def test_names_and_shapes_are_torchvisions() -> None:
    with torch.device("meta"):
        network = MobileNetV2(MOBILENETS["mobilenet_v2"], classes=1000)
    got = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert got == published()
    assert list(got) == list(published())
    assert [(row.expand, row.channels, row.repeats, row.stride) for row in ROWS] == TABLE_2
    assert sum(weight.numel() for weight in network.parameters()) == 3_504_872  # torchvision's num_params


def test_a_published_state_dict_loads_strictly() -> None:
    document = {
        name: torch.full(shape, 3, dtype=torch.float32 if shape else torch.int64) for name, shape in published().items()
    }
    network = MobileNetV2(MOBILENETS["mobilenet_v2"], classes=1000)
    network.load_state_dict(document)
    assert all((tensor == 3).all() for tensor in network.state_dict().values())


@pytest.mark.parametrize("side", [32, 33, 63, 64, 65, 224])
def test_sides_are_halved_five_times_rounded_up(side: int) -> None:
    network = MobileNetV2(MobileNetOptions(kind="mobilenet_v2", width=0.1), in_channels=2).eval()
    assert network(torch.zeros(1, 2, side, 32)).shape == (1, 1280, -(-side // 32), 1)
    assert all(name.startswith("features.") for name in network.state_dict())


@pytest.mark.parametrize(
    ("width", "expected"),
    [(0.5, (16, 8, 16, 16, 32, 48, 80, 160, 1280)), (1.4, (48, 24, 32, 48, 88, 136, 224, 448, 1792))],
)
def test_width_scales_all_but_a_narrow_head(width: float, expected: Tuple[int, ...]) -> None:
    """torchvision's channels at width_mult 0.5 and 1.4: the stem's, each row's, the head's."""
    with torch.device("meta"):
        network = MobileNetV2(MobileNetOptions(kind="mobilenet_v2", width=width))
    ends = [0, 1, 3, 6, 10, 13, 16, 17, 18]
    layers = [[part for part in network.features[end].modules() if isinstance(part, nn.Conv2d)] for end in ends]
    assert tuple(each[-1].out_channels for each in layers) == expected == (*expected[:-1], network.channels)


def _convolved(maps: NDArray[np.float64], conv: nn.Conv2d) -> NDArray[np.float64]:
    """(C, h, w) through a convolution without groups, or one a channel."""
    weight, stride = conv.weight.detach().numpy(), conv.stride[0]
    border = weight.shape[2] // 2
    padded = np.pad(maps, ((0, 0), (border,) * 2, (border,) * 2))
    sides = [-(-side // stride) for side in maps.shape[1:]]
    out = np.zeros((weight.shape[0], *sides))
    for y in range(weight.shape[2]):
        for x in range(weight.shape[3]):
            seen = padded[:, y::stride, x::stride][:, : sides[0], : sides[1]]
            out += (
                weight[:, 0, y, x][:, None, None] * seen
                if conv.groups > 1
                else np.tensordot(weight[:, :, y, x], seen, 1)
            )
    return out


def _normed(maps: NDArray[np.float64], norm: nn.BatchNorm2d) -> NDArray[np.float64]:
    scale, shift, mean, variance = (
        tensor.detach().numpy()[:, None, None]  # type: ignore[union-attr]
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    normed: NDArray[np.float64] = (maps - mean) / np.sqrt(variance + norm.eps) * scale + shift
    return normed


@pytest.mark.parametrize(("place", "shortcut"), [(1, False), (2, False), (3, True)])
def test_the_block_is_table_1(place: int, shortcut: bool) -> None:
    """Expand, ReLU6, depthwise, ReLU6, project; the input is added where stride and channels let it."""
    torch.manual_seed(place)
    module = MobileNetV2(MOBILENETS["mobilenet_v2"]).features[place].double().eval()
    assert isinstance(module, LinearBottleneck)
    for norm in (each for each in module.modules() if isinstance(each, nn.BatchNorm2d)):
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            nn.init.uniform_(tensor, 0.5, 1.5)  # type: ignore[arg-type]
    convolutions = [each for each in module.modules() if isinstance(each, nn.Conv2d)]
    norms = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]
    for conv in convolutions:
        nn.init.normal_(conv.weight)
    maps = 4 * torch.randn(1, convolutions[0].in_channels, 7, 6, dtype=torch.float64)
    out = maps[0].numpy()
    for number, (conv, norm) in enumerate(zip(convolutions, norms), 1):
        out = _normed(_convolved(out, conv), norm)
        if number < len(norms):
            assert out.max() > 6  # so that the bound shows
            out = np.clip(out, 0, 6)
    expected = out + maps[0].numpy() if shortcut else out
    np.testing.assert_allclose(module(maps)[0].detach().numpy(), expected, atol=1e-9)


def test_a_recipe_names_it_where_a_network_takes_any() -> None:
    assert isinstance(picture_backbone(picture_options("mobilenet_v2")), MobileNetV2)
    assert isinstance(picture_backbone(ResNetOptions(repeats=(1, 1, 1, 1), width=0.125)), ResNet)
    assert picture_options({"width": 0.5}) == {"width": 0.5}
    assert set(NAMED) == {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet_v2"}
    with pytest.raises(ConfigError, match="mobilenet_v2"):
        picture_options("mobilenet2")
