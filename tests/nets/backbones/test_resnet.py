"""ResNet against torchvision's published names and shapes, against a plain restatement, and its own description."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.resnet import (
    RESNETS,
    Bottleneck,
    ResNet,
    ResNetOptions,
    layer_channels,
    resnet_options,
    resnet_side,
)

pytestmark = pytest.mark.train

DATA = Path(__file__).parent / "data"
SMALL = ResNetOptions(block="bottleneck", repeats=(1, 1, 1, 1), width=0.125)

PUBLISHED = {
    "resnet18": (11_689_512, "fbb734f8d25637c69c135c53fbecdb305239a97bcd55af8ac06f293dd978c004"),
    "resnet34": (21_797_672, "52ebb9aafbb39a3b5d2d5e8a59d19f4dd530d08292fe10dd9043412f74d32d7d"),
    "resnet50": (25_557_032, "96df5854018a56439732439ac2cf7ec9080f5a3add8e1e49a451083f1fd3bfd8"),
    "resnet101": (44_549_160, "12beab2d348e90d9b0e26c38d4aa5814ec22a1c587fe1cbe90dc1f432ab688dc"),
    "resnet152": (60_192_808, "747b486b2f2e60e1a94b2ae59175231764c8072ec84b0b5d574f97a1bd716fb6"),
}
"""Parameters, and the sha256 of the JSON of torchvision 0.20's names and shapes in order."""


def on_meta(name: str) -> ResNet:
    with torch.device("meta"):
        return ResNet(name, classes=1000)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnet_names_and_shapes_are_torchvisions(name: str) -> None:
    expected = json.loads((DATA / f"{name}.json").read_text())
    got = {key: list(value.shape) for key, value in on_meta(name).state_dict().items()}
    assert got == expected
    assert list(got) == list(expected)


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_every_depth_is_torchvisions(name: str) -> None:
    parameters, digest = PUBLISHED[name]
    network = on_meta(name)
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert hashlib.sha256(json.dumps(shapes, separators=(",", ":")).encode()).hexdigest() == digest


def test_a_published_state_dict_loads_strictly() -> None:
    shapes = json.loads((DATA / "resnet18.json").read_text())
    published = {
        key: torch.full(shape, 3, dtype=torch.int64 if key.endswith("tracked") else torch.float32)
        for key, shape in shapes.items()
    }
    network = ResNet("resnet18", classes=1000)
    network.load_state_dict(published)
    assert all((value == 3).all() for value in network.state_dict().values())


def _convolved(maps: NDArray[np.float64], conv: nn.Conv2d) -> NDArray[np.float64]:
    """One (C, h, w) through a convolution, a sum of shifted pictures."""
    weight = conv.weight.detach().double().numpy()
    stride, pad, kernel = conv.stride[0], int(conv.padding[0]), weight.shape[2]
    padded = np.pad(maps, ((0, 0), (pad, pad), (pad, pad)))
    height, width = ((side + 2 * pad - kernel) // stride + 1 for side in maps.shape[1:])
    out = np.zeros((weight.shape[0], height, width))
    for y in range(kernel):
        for x in range(kernel):
            seen = padded[:, y : y + stride * height : stride, x : x + stride * width : stride]
            out += np.einsum("oc,chw->ohw", weight[:, :, y, x], seen[:, :height, :width])
    return out


def _normed(maps: NDArray[np.float64], norm: nn.BatchNorm2d) -> NDArray[np.float64]:
    scale, shift, mean, variance = (
        tensor.detach().double().numpy()[:, None, None]  # type: ignore[union-attr]
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    return (maps - mean) / np.sqrt(variance + norm.eps) * scale + shift


def _unsettled(network: nn.Module) -> None:
    """Random statistics and scales, so that a normalisation left out or misplaced shows."""
    for norm in network.modules():
        if isinstance(norm, (nn.BatchNorm2d, nn.BatchNorm3d)):
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("stride", [1, 2])
def test_blocks_are_what_figure_5_draws(block: str, stride: int) -> None:
    torch.manual_seed(0)
    options = ResNetOptions(block=block, repeats=(1, 2, 1, 1), width=0.125)  # type: ignore[arg-type]
    module = ResNet(options).layers()[1][0 if stride == 2 else 1].double().eval()  # type: ignore[index]
    _unsettled(module)
    maps = torch.randn(1, module.conv1.in_channels, 7, 6, dtype=torch.float64)
    branch = maps[0].numpy()
    convolutions = [name for name in ("1", "2", "3") if hasattr(module, f"conv{name}")]
    for name in convolutions:
        branch = _normed(_convolved(branch, getattr(module, f"conv{name}")), getattr(module, f"bn{name}"))
        if name != convolutions[-1]:
            branch = np.maximum(branch, 0)
    shortcut = maps[0].numpy()
    if module.downsample is not None:
        shortcut = _normed(_convolved(shortcut, module.downsample[0]), module.downsample[1])
    expected = np.maximum(branch + shortcut, 0)
    assert (module.downsample is None) == (stride == 1)
    np.testing.assert_allclose(module(maps)[0].detach().numpy(), expected, atol=1e-9)


def test_stem_and_layers_are_the_whole() -> None:
    torch.manual_seed(0)
    network = ResNet(SMALL, in_channels=2, classes=5).eval()
    images = torch.randn(2, 2, 40, 33)
    stem = functional.max_pool2d(functional.relu(network.bn1(network.conv1(images))), 3, 2, 1)
    assert torch.equal(network.stem(images), stem)
    maps: Tensor = stem
    for place, layer in enumerate(network.layers(), 1):
        maps = layer(maps)
        assert maps.shape[1:] == (network.layer_channels[place], resnet_side(40, place), resnet_side(33, place))
    assert network.fc is not None
    assert torch.allclose(network(images), network.fc(maps.mean((2, 3))))


@pytest.mark.parametrize("side", [32, 33, 63, 64, 65, 224])
def test_resnet_side_is_what_the_network_gives(side: int) -> None:
    network = ResNet(SMALL, in_channels=2).eval()
    assert network.stem(torch.zeros(1, 2, side, 32)).shape[2] == resnet_side(side, 0)
    assert network(torch.zeros(1, 2, side, 32)).shape == (1, network.channels, resnet_side(side), 1)


def test_a_network_may_bring_its_own_blocks() -> None:
    class Doubled(Bottleneck):
        def branch(self, maps: Tensor) -> Tensor:
            return 2 * super().branch(maps)

    torch.manual_seed(0)
    plain, own = ResNet(SMALL).eval(), ResNet(SMALL, make_block=Doubled).eval()
    own.load_state_dict(plain.state_dict())  # the same names
    images = torch.randn(1, 3, 32, 32)
    block = plain.layers()[0][0]  # type: ignore[index]
    maps = plain.stem(images)
    assert torch.allclose(own.layers()[0](maps), torch.relu(2 * block.branch(maps) + block.shortcut(maps)))


def test_width_scales_channels_before_expansion() -> None:
    assert layer_channels(RESNETS["resnet50"]) == (64, 256, 512, 1024, 2048)
    assert layer_channels(ResNetOptions(width=0.25)) == (16, 16, 32, 64, 128)
    assert layer_channels(ResNetOptions(width=0.05)) == (8, 8, 8, 16, 24)


def test_unknown_resnet_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="resnet50"):
        resnet_options("resnet-50")
