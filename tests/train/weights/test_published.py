from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import BackboneOptions, EfficientNet
from edgecvar.nets.backbones.mobilenet import MobileNetOptions, MobileNetV2
from edgecvar.nets.backbones.resnet import BasicBlock, ResNet
from edgecvar.nets.backbones.resnet3d import ResNet3d, ResNet3dOptions
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.train.weights.published import adapt_channels
from tests.train.weights.starting import BACKBONE, DEEP, FLAT, SPEC, Holder, network, start_from

pytestmark = pytest.mark.train

COVIAR = {"appearance": DEEP.model_dump(), "motion": FLAT.model_dump(), "residual": FLAT.model_dump()}


def test_one_published_efficientnet_fills_every_branch(tmp_path: Path) -> None:
    published = EfficientNet(BackboneOptions.model_validate(BACKBONE), in_channels=3, classes=1000)
    torch.save(published.state_dict(), tmp_path / "b.pth")
    target = network()
    line = start_from(target, [tmp_path / "b.pth"])
    state, given = target.state_dict(), published.state_dict()
    assert "3 backbones" in line
    assert "features.0.0.weight adapted from 3 to 2 channels" in line
    for branch in ("appearance", "motion", "residual"):
        name = "features.8.0.weight"
        assert torch.equal(state[f"{branch}.backbone.{name}"], given[name])
    first = "features.0.0.weight"
    assert torch.equal(state[f"appearance.backbone.{first}"], given[first])
    assert torch.equal(state[f"motion.backbone.{first}"], adapt_channels(given[first], 2))


def coviar(**changes: Any) -> Network:
    return build_network("coviar", {**COVIAR, **changes}, SPEC, 3)


def test_each_backbone_takes_the_file_that_is_its_own(tmp_path: Path) -> None:
    deep, flat = ResNet(DEEP, classes=1000), ResNet(FLAT, classes=1000)
    deep_file, flat_file = tmp_path / "deep.pth", tmp_path / "flat.pth"
    torch.save(deep.state_dict(), deep_file)
    torch.save(flat.state_dict(), flat_file)
    target = coviar()
    fresh = target.state_dict()["appearance.backbone.fc.weight"].clone()
    line = start_from(target, [flat_file, deep_file])
    state = target.state_dict()
    for stream, source in (("appearance", deep), ("motion", flat), ("residual", flat)):
        for name, tensor in source.state_dict().items():
            if not name.startswith(("conv1", "fc")):
                assert torch.equal(state[f"{stream}.backbone.{name}"], tensor), (stream, name)
    assert torch.equal(state["residual.backbone.conv1.weight"], flat.conv1.weight)
    assert torch.equal(state["motion.backbone.conv1.weight"], adapt_channels(flat.conv1.weight, 2))
    assert torch.equal(state["appearance.backbone.fc.weight"], fresh)
    assert f"{flat_file}: 2 backbones" in line and f"{deep_file}: 1 backbones" in line
    assert "; afresh: appearance.backbone.fc, motion.data_bn, motion.backbone.fc, residual." in line
    # A shallower network's names and shapes are all in the deeper one's file, and yet it is another's.
    with pytest.raises(ConfigError, match=r"deep\.pth: .*another network.* such as layer1\.1\..*backbone 'motion\.b"):
        start_from(coviar(), [deep_file])
    with pytest.raises(ConfigError, match=r"deep\.pth: fits no backbone"):
        start_from(coviar(appearance=FLAT.model_dump()), [flat_file, deep_file])


def test_torchvisions_mobilenet_fills_its_own(tmp_path: Path) -> None:
    options = MobileNetOptions(kind="mobilenet_v2", width=0.25)
    published, file = MobileNetV2(options, classes=9), tmp_path / "mobile.pth"
    torch.save(published.state_dict(), file)
    target = build_network("tsn", {"backbone": options.model_dump()}, SPEC, 3)
    assert start_from(target, [file]).endswith("; afresh: appearance.classifier")
    backbone = target.get_submodule("appearance.backbone").state_dict()
    assert all(torch.equal(tensor, published.state_dict()[name]) for name, tensor in backbone.items())
    first = "features.0.0.weight"
    moving = Holder(MobileNetV2(options, in_channels=2))
    assert f"{first} adapted from 3 to 2 channels" in start_from(moving, [file])
    assert torch.equal(moving.backbone.state_dict()[first], adapt_channels(published.state_dict()[first], 2))
    with pytest.raises(ConfigError, match=r"no weights of shape .* for features\.0\.0\.weight"):
        start_from(Holder(MobileNetV2(MobileNetOptions(kind="mobilenet_v2"))), [file])


def test_older_files_without_counters_fit(tmp_path: Path) -> None:
    """torchvision's files of before 2018 have no num_batches_tracked."""
    state = {name: tensor for name, tensor in ResNet(FLAT).state_dict().items() if not name.endswith("tracked")}
    torch.save(state, tmp_path / "old.pth")
    line = start_from(coviar(appearance=FLAT.model_dump()), [tmp_path / "old.pth"])
    assert "3 backbones" in line and "tracked" not in line


def test_an_i3d_starts_from_the_2d_network_or_from_itself(tmp_path: Path) -> None:
    options = ResNet3dOptions(repeats=(1, 1, 1, 1), width=0.125)
    flat, solid = ResNet(options.flat, classes=9), ResNet3d(options, classes=9)
    torch.save(flat.state_dict(), tmp_path / "flat.pth")
    torch.save(solid.state_dict(), tmp_path / "solid.pth")
    target = Holder(ResNet3d(options, in_channels=5, classes=4))
    start_from(target, [tmp_path / "flat.pth"])
    given, state = flat.state_dict(), target.backbone.state_dict()
    assert torch.equal(
        state["layer1.0.conv1.weight"], given["layer1.0.conv1.weight"][:, :, None].repeat(1, 1, 3, 1, 1) / 3
    )
    assert torch.allclose(state["conv1.weight"].sum(2), adapt_channels(given["conv1.weight"], 5), atol=1e-7)
    assert torch.equal(state["bn1.running_mean"], given["bn1.running_mean"])
    start_from(target, [tmp_path / "solid.pth"])
    state = target.backbone.state_dict()
    assert torch.equal(state["layer4.0.conv1.weight"], solid.state_dict()["layer4.0.conv1.weight"])


def test_modules_that_a_network_adds_to_its_blocks_start_afresh(tmp_path: Path) -> None:
    class Gated(BasicBlock):
        def __init__(self, inputs: int, channels: int, stride: int) -> None:
            super().__init__(inputs, channels, stride)
            self.gate = torch.nn.Parameter(torch.full((1,), 7.0))

    torch.save(ResNet(FLAT).state_dict(), tmp_path / "flat.pth")
    target = Holder(ResNet(FLAT, make_block=Gated))
    line = start_from(target, [tmp_path / "flat.pth"])
    gates = [f"backbone.layer{layer}.0.gate" for layer in range(1, 5)]
    assert line.endswith(f"; afresh: {', '.join(gates)}")
    assert target.backbone.state_dict()["layer1.0.gate"] == 7


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_adapted_convolutions_keep_the_size_of_activations(channels: int) -> None:
    torch.manual_seed(0)
    published = torch.randn(8, 3, 7, 7)
    own = adapt_channels(published, channels)
    assert own.shape == (8, channels, 7, 7)
    grey = torch.randn(1, 1, 20, 20)
    expected = torch.nn.functional.conv2d(grey.repeat(1, 3, 1, 1), published)
    got = torch.nn.functional.conv2d(grey.repeat(1, channels, 1, 1), own)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    if channels != 3:
        # Every channel alike: the mean over RGB times 3 / channels.
        expected = np.mean(published.numpy(), axis=1) * 3 / channels
        for channel in range(channels):
            np.testing.assert_allclose(own[:, channel].numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("published", [10, 4])
def test_a_network_of_a_stack_of_flows_is_no_start_for_one_of_one_flow(tmp_path: Path, published: int) -> None:
    """Two-stream networks see ten flow channels at once; which of them a single flow would be nothing says."""
    torch.save(ResNet(FLAT, published).state_dict(), tmp_path / "stack.pth")
    with pytest.raises(ConfigError, match=rf"for conv1\.weight in it, which has \(8, {published}, 7, 7\)"):
        start_from(Holder(ResNet(FLAT, 2)), [tmp_path / "stack.pth"])
