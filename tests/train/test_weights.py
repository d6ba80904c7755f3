from __future__ import annotations

from pathlib import Path
from typing import Any, List, Mapping

import numpy as np
import pytest
import torch

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import BackboneOptions, EfficientNet
from edgecvar.nets.backbones.resnet import BasicBlock, ResNet, ResNetOptions
from edgecvar.nets.backbones.resnet3d import ResNet3d, ResNet3dOptions
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import Checkpoint, save_checkpoint
from edgecvar.train.weights import adapt_channels, start_from

pytestmark = pytest.mark.train

BACKBONE = {"width": 0.1, "depth": 0.3}
SPEC = InputSpec(height=32, width=32)

FLAT = ResNetOptions(repeats=(1, 1, 1, 1), width=0.125)
DEEP = ResNetOptions(repeats=(2, 1, 1, 1), width=0.125)
COVIAR = {"appearance": DEEP.model_dump(), "motion": FLAT.model_dump(), "residual": FLAT.model_dump()}


class Holder(Network):
    """A network that is one backbone."""

    classes = 3

    def __init__(self, backbone: torch.nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def stages(self) -> List[StageSpec]:
        raise NotImplementedError

    def stage_modules(self) -> Mapping[str, torch.nn.Module]:
        raise NotImplementedError

    def forward(self, batch: ClipBatch) -> torch.Tensor:
        raise NotImplementedError


def network(classes: int = 3, dim: int = 16) -> Network:
    return build_network("attp", {"backbone": BACKBONE, "dim": dim}, SPEC, classes)


def saved(path: Path, source: Network) -> Path:
    save_checkpoint(path, Checkpoint("attp", {}, SPEC, ["a", "b", "c"], source.state_dict(), ""))
    return path


def test_a_checkpoint_of_the_same_classes_is_taken_whole(tmp_path: Path) -> None:
    source, target = network(), network()
    line = start_from(target, [saved(tmp_path / "a.pt", source)])
    assert all(torch.equal(target.state_dict()[name], tensor) for name, tensor in source.state_dict().items())
    assert "afresh" not in line


def test_a_classifier_of_other_classes_starts_afresh_and_is_named(tmp_path: Path) -> None:
    source, target = network(3), network(5)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    line = start_from(target, [saved(tmp_path / "a.pt", source)])
    assert "afresh: fuse.classifier.weight, fuse.classifier.bias" in line
    assert torch.equal(target.state_dict()["fuse.classifier.weight"], before["fuse.classifier.weight"])
    name = "motion.projection.weight"
    assert torch.equal(target.state_dict()[name], source.state_dict()[name])


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
    assert "afresh: fc.weight, fc.bias" in line
    # A shallower network's names and shapes are all in the deeper one's file, and yet it is another's.
    with pytest.raises(ConfigError, match=r"deep\.pth: .*another network.* such as layer1\.1\..*backbone 'motion\.b"):
        start_from(coviar(), [deep_file])
    with pytest.raises(ConfigError, match=r"deep\.pth: fits no backbone"):
        start_from(coviar(appearance=FLAT.model_dump()), [flat_file, deep_file])


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
    assert "afresh: layer1.0.gate, layer2.0.gate, layer3.0.gate, layer4.0.gate" in line
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


def test_a_checkpoint_comes_alone(tmp_path: Path) -> None:
    torch.save(ResNet(FLAT).state_dict(), tmp_path / "flat.pth")
    checkpoint = saved(tmp_path / "a.pt", network())
    with pytest.raises(ConfigError, match=r"a\.pt: a checkpoint is the whole network"):
        start_from(network(), [tmp_path / "flat.pth", checkpoint])


def test_only_what_the_classes_shape_starts_afresh(tmp_path: Path) -> None:
    """TEAM's modules of another reduction are layers too; here one of them has as many outputs as there are classes."""
    spec = {**dict.fromkeys(("appearance", "motion", "residual"), BACKBONE), "places": [1]}
    source, other = (build_network("team", {**spec, "reduction": each}, SPEC, 3) for each in (4, 8))
    line = start_from(build_network("team", {**spec, "reduction": 4}, SPEC, 5), [saved(tmp_path / "a.pt", source)])
    assert "afresh: heads.appearance.1.weight, heads.appearance.1.bias, heads.motion.1.weight" in line
    with pytest.raises(ConfigError, match=r"a\.pt: no weights of shape .* for team\.1\.channel\.expand\.weight in it"):
        start_from(other, [saved(tmp_path / "a.pt", source)])
    head = "heads.motion.1.weight"
    without = {name: tensor for name, tensor in source.state_dict().items() if name != head}
    for state in (without, {**without, head: torch.zeros(5, 7)}):  # none, or one of other features
        save_checkpoint(tmp_path / "b.pt", Checkpoint("team", {}, SPEC, ["a", "b", "c"], state, ""))
        with pytest.raises(ConfigError, match=r"b\.pt: no weights of shape .* for heads\.motion\.1\.weight in it"):
            start_from(source, [tmp_path / "b.pt"])


def test_a_first_convolution_of_other_channels_starts_afresh_and_no_other(tmp_path: Path) -> None:
    def holder(channels: int, kernel: int = 7) -> Holder:
        built = Holder(ResNet(FLAT, in_channels=channels, classes=3))
        built.backbone.conv1 = torch.nn.Conv2d(channels, 8, kernel, 2, bias=False)
        return built

    checkpoint = saved(tmp_path / "a.pt", holder(3))
    assert "afresh: backbone.conv1.weight" in start_from(holder(2), [checkpoint])
    with pytest.raises(ConfigError, match=r"no weights of shape \(8, 3, 5, 5\) for backbone\.conv1\.weight"):
        start_from(holder(3, kernel=5), [checkpoint])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.pt: no weights of shape .* for appearance\.projection\.weight"):
        start_from(network(dim=16), [saved(tmp_path / "a.pt", network(dim=24))])
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "c.pth")
    with pytest.raises(ConfigError, match=r"c\.pth: no weights of shape"):
        start_from(network(), [tmp_path / "c.pth"])
