from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.catalog import build_network
from edgecvar.nets.efficientnet import BackboneOptions, EfficientNet
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import Checkpoint, save_checkpoint
from edgecvar.train.weights import start_from

pytestmark = pytest.mark.train

BACKBONE = {"width": 0.1, "depth": 0.3}
SPEC = InputSpec(height=32, width=32)


def network(classes: int = 3, dim: int = 16) -> Network:
    return build_network("attp", {"backbone": BACKBONE, "dim": dim}, SPEC, classes)


def saved(path: Path, source: Network) -> Path:
    save_checkpoint(path, Checkpoint("attp", {}, SPEC, ["a", "b", "c"], source.state_dict(), ""))
    return path


def test_a_checkpoint_of_the_same_classes_is_taken_whole(tmp_path: Path) -> None:
    source, target = network(), network()
    line = start_from(target, saved(tmp_path / "a.pt", source))
    assert all(torch.equal(target.state_dict()[name], tensor) for name, tensor in source.state_dict().items())
    assert "afresh" not in line


def test_a_classifier_of_other_classes_starts_afresh_and_is_named(tmp_path: Path) -> None:
    source, target = network(3), network(5)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    line = start_from(target, saved(tmp_path / "a.pt", source))
    assert "afresh: fuse.classifier.weight, fuse.classifier.bias" in line
    assert torch.equal(target.state_dict()["fuse.classifier.weight"], before["fuse.classifier.weight"])
    name = "motion.projection.weight"
    assert torch.equal(target.state_dict()[name], source.state_dict()[name])


def test_one_published_backbone_fills_every_branch_but_the_motion_stem(tmp_path: Path) -> None:
    published = EfficientNet(BackboneOptions.model_validate(BACKBONE), in_channels=3, classes=1000)
    torch.save(published.state_dict(), tmp_path / "b.pth")
    target = network()
    stem = target.state_dict()["motion.backbone.features.0.0.weight"].clone()
    line = start_from(target, tmp_path / "b.pth")
    state, given = target.state_dict(), published.state_dict()
    assert "3 backbones" in line
    assert "afresh: features.0.0.weight" in line
    assert torch.equal(state["motion.backbone.features.0.0.weight"], stem)
    for branch in ("appearance", "motion", "residual"):
        name = "features.8.0.weight"
        assert torch.equal(state[f"{branch}.backbone.{name}"], given[name])
    assert torch.equal(state["appearance.backbone.features.0.0.weight"], given["features.0.0.weight"])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.pt: no weights of shape .* for appearance\.projection\.weight"):
        start_from(network(dim=16), saved(tmp_path / "a.pt", network(dim=24)))
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "c.pth")
    with pytest.raises(ConfigError, match=r"c\.pth: no weights of shape"):
        start_from(network(), tmp_path / "c.pth")
