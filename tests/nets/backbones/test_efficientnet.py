"""EfficientNet against torchvision's published names and shapes, and against its own description."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import (
    BACKBONES,
    BackboneOptions,
    EfficientNet,
    InvertedResidual,
    backbone_options,
    map_side,
    scaled_channels,
)

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_b1"])
def test_names_and_shapes_are_torchvisions(name: str) -> None:
    expected = json.loads((DATA / f"{name}.json").read_text())
    network = EfficientNet(BACKBONES[name], classes=1000)
    got = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert got == expected
    assert list(got) == list(expected)


def test_published_state_dict_loads_unchanged() -> None:
    shapes = json.loads((DATA / "efficientnet_b0.json").read_text())
    published = {
        key: torch.zeros(shape, dtype=torch.int64 if key.endswith("tracked") else torch.float32)
        for key, shape in shapes.items()
    }
    network = EfficientNet(BACKBONES["efficientnet_b0"], classes=1000)
    network.load_state_dict(published)
    assert not any(value.any() for value in network.state_dict().values())


@pytest.mark.parametrize("side", [32, 33, 64, 95, 96, 97, 240])
def test_map_side_is_what_the_network_gives(side: int) -> None:
    network = EfficientNet(BackboneOptions(width=0.1, depth=0.1), in_channels=2).eval()
    maps = network(torch.zeros(1, 2, side, 64))
    assert maps.shape == (1, network.channels, map_side(side), 2)


def test_without_classifier_there_are_only_features() -> None:
    network = EfficientNet(BackboneOptions(width=0.1, depth=0.1))
    assert all(key.startswith("features.") for key in network.state_dict())


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(32, 1.0, 32), (32, 0.35, 16), (320, 0.35, 112), (24, 0.35, 8), (16, 0.1, 8), (40, 1.1, 48), (112, 1.1, 120)],
)
def test_scaled_channels_are_multiples_of_eight_near_the_product(channels: int, width: float, expected: int) -> None:
    assert scaled_channels(channels, width) == expected
    assert expected >= 0.9 * channels * width


def test_blocks_drop_whole_samples_and_keep_the_mean() -> None:
    torch.manual_seed(0)
    network = EfficientNet(BackboneOptions(width=0.1, depth=0.1, stochastic_depth=0.9))
    block = [part for part in network.modules() if isinstance(part, InvertedResidual) and part.identity][-1]
    block.block = torch.nn.Identity()
    block.train()
    maps = torch.ones(4000, 8, 1, 1)
    added = block(maps) - maps
    kept = added.flatten(1).any(1)
    assert torch.equal(added.flatten(1).all(1), kept)  # a sample is dropped whole
    assert abs(kept.float().mean() - (1 - block.drop)) < 0.05
    assert abs(added.mean() - 1) < 0.15  # five standard errors
    block.eval()
    assert torch.equal(block(maps), 2 * maps)


def test_drop_grows_with_depth_as_published() -> None:
    network = EfficientNet(BACKBONES["efficientnet_b0"])
    drops = [part.drop for part in network.modules() if isinstance(part, InvertedResidual)]
    assert drops == pytest.approx([0.2 * place / 16 for place in range(16)])


def test_unknown_backbone_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="efficientnet_b1"):
        backbone_options("efficientnet-b1")
