from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Callable

import pytest
import torch

from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import BackboneOptions, EfficientNet
from edgecvar.nets.backbones.resnet import ResNet
from edgecvar.nets.catalog import build_network
from edgecvar.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgecvar.train.loop import start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.weights.start import start_from as start_network
from tests.train.heard import Heard
from tests.train.weights.starting import BACKBONE, FLAT, LABELS, SPEC, Holder, network, saved, start_from

pytestmark = pytest.mark.train


def test_a_checkpoint_of_the_same_classes_is_taken_whole(tmp_path: Path) -> None:
    source, target = network(), network()
    line = start_from(target, [saved(tmp_path / "a.pt", source)])
    assert all(torch.equal(target.state_dict()[name], tensor) for name, tensor in source.state_dict().items())
    assert "afresh" not in line


def test_a_classifier_of_other_classes_starts_afresh_and_is_named(tmp_path: Path) -> None:
    source, target = network(3), network(5)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    line = start_from(target, [saved(tmp_path / "a.pt", source)], ["a", "b", "c", "d", "e"])
    assert line.endswith("tensors taken, it tells other classes apart (a, b, c); afresh: fuse")
    assert torch.equal(target.state_dict()["fuse.classifier.weight"], before["fuse.classifier.weight"])
    name = "motion.projection.weight"
    assert torch.equal(target.state_dict()[name], source.state_dict()[name])


def test_a_checkpoint_comes_alone(tmp_path: Path) -> None:
    torch.save(ResNet(FLAT).state_dict(), tmp_path / "flat.pth")
    checkpoint = saved(tmp_path / "a.pt", network())
    with pytest.raises(ConfigError, match=r"a\.pt: a checkpoint is the whole network"):
        start_from(network(), [tmp_path / "flat.pth", checkpoint])


def test_only_what_the_classes_shape_starts_afresh(tmp_path: Path) -> None:
    """TEAM's modules of another reduction are layers too; here one of them has as many outputs as there are classes."""
    spec = {**dict.fromkeys(("appearance", "motion", "residual"), BACKBONE), "places": [1]}
    source, other = (build_network("team", {**spec, "reduction": each}, SPEC, 3) for each in (4, 8))
    five = build_network("team", {**spec, "reduction": 4}, SPEC, 5)
    assert start_from(five, [saved(tmp_path / "a.pt", source)], list("abcde")).endswith("; afresh: heads")
    with pytest.raises(ConfigError, match=r"a\.pt: no weights of shape .* for team\.1\.channel\.expand\.weight in it"):
        start_from(other, [saved(tmp_path / "a.pt", source)])
    head = "heads.motion.1.weight"
    without = {name: tensor for name, tensor in source.state_dict().items() if name != head}
    for state in (without, {**without, head: torch.zeros(5, 7)}):  # none, or one of other features
        save_checkpoint(tmp_path / "b.pt", Checkpoint("team", {}, SPEC, LABELS, state, ""))
        with pytest.raises(ConfigError, match=r"b\.pt: no weights of shape .* for heads\.motion\.1\.weight in it"):
            start_from(source, [tmp_path / "b.pt"])


def test_a_first_convolution_of_other_channels_starts_afresh_and_no_other(tmp_path: Path) -> None:
    def holder(channels: int, kernel: int = 7) -> Holder:
        built = Holder(ResNet(FLAT, in_channels=channels, classes=3))
        built.backbone.conv1 = torch.nn.Conv2d(channels, 8, kernel, 2, bias=False)
        return built

    checkpoint = saved(tmp_path / "a.pt", holder(3))
    assert start_from(holder(2), [checkpoint]).endswith("; afresh: backbone.conv1")
    with pytest.raises(ConfigError, match=r"no weights of shape \(8, 3, 5, 5\) for backbone\.conv1\.weight"):
        start_from(holder(3, kernel=5), [checkpoint])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.pt: no weights of shape .* for appearance\.projection\.weight"):
        start_from(network(dim=16), [saved(tmp_path / "a.pt", network(dim=24))])
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "c.pth")
    with pytest.raises(ConfigError, match=r"c\.pth: no weights of shape"):
        start_from(network(), [tmp_path / "c.pth"])


def test_other_labels_of_the_same_number_are_other_classes(tmp_path: Path) -> None:
    source, target = network(), network()
    fresh = target.state_dict()["fuse.classifier.weight"].clone()
    line = start_from(target, [saved(tmp_path / "a.pt", source)], ["c", "b", "a"])
    assert "it tells other classes apart (a, b, c); afresh: fuse" in line
    assert torch.equal(target.state_dict()["fuse.classifier.weight"], fresh)
    assert torch.equal(target.state_dict()["motion.projection.weight"], source.state_dict()["motion.projection.weight"])


def test_a_run_is_its_best(tmp_path: Path) -> None:
    best, last, target = network(), network(), network()
    saved(tmp_path / "best.pt", best)
    saved(tmp_path / "last.pt", last)
    assert start_from(target, [tmp_path]).startswith(f"{tmp_path}: {len(best.state_dict())} tensors taken")
    assert all(torch.equal(target.state_dict()[name], tensor) for name, tensor in best.state_dict().items())


@pytest.mark.parametrize(
    ("file", "said"), [("last.pt", "a folder without best.pt"), ("manifest.json", "give the run that it was compiled")]
)
def test_a_folder_that_is_no_run_says_what_to_give(tmp_path: Path, file: str, said: str) -> None:
    (tmp_path / file).write_text("{}")
    with pytest.raises(ConfigError, match=said):
        start_from(network(), [tmp_path])


def test_each_part_starts_from_its_own_and_the_rest_afresh(tmp_path: Path) -> None:
    published = EfficientNet(BackboneOptions.model_validate(BACKBONE), classes=9)
    torch.save(published.state_dict(), tmp_path / "b.pth")
    run, target = network(), network()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    weights = {"appearance": [str(tmp_path / "b.pth")], "motion": [str(saved(tmp_path / "a.pt", run))]}
    line = start_network(target, weights, SPEC, LABELS)
    state = target.state_dict()
    assert line.startswith(f"appearance: {tmp_path}/b.pth: 1 backbones")
    assert f"; motion: {tmp_path}/a.pt: " in line
    assert line.endswith("; afresh: appearance.projection, residual, fuse")
    for name, tensor in state.items():
        if name.startswith("appearance.backbone."):
            given = published.state_dict()[name[len("appearance.backbone.") :]]
        else:
            given = run.state_dict()[name] if name.startswith("motion.") else before[name]
        assert torch.equal(tensor, given), name
    with pytest.raises(ConfigError, match="unknown part 'moton' in weights: did you mean 'motion'"):
        start_network(target, {"moton": [str(tmp_path / "a.pt")]}, SPEC, LABELS)


def test_what_another_networks_run_has_more_or_less_is_named(tmp_path: Path) -> None:
    """Modules outside of backbones may be new, a branch may be left out; part of a backbone may not be missing."""
    options = {"backbone": BACKBONE, "dim": 16}
    whole, alone = network(), build_network("attp", {**options, "fusion": "mv"}, SPEC, 3)
    line = start_from(alone, [saved(tmp_path / "a.pt", whole)])
    assert "left out (appearance, fuse, motion, residual)" in line and line.endswith("; afresh: fuse")
    assert torch.equal(
        alone.state_dict()["motion.backbone.features.8.0.weight"],
        whole.state_dict()["motion.backbone.features.8.0.weight"],
    )
    with pytest.raises(ConfigError, match=r"b\.pt: no weights of shape .* for appearance\.backbone\.features"):
        start_from(whole, [saved(tmp_path / "b.pt", alone)])


def test_other_units_of_the_inputs_are_named(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "a.pt", network(), spec=SPEC.model_copy(update={"velocity_unit": 2.0}))
    assert start_from(network(), [checkpoint]).endswith("tensors taken, learnt with input.velocity_unit=2.0")


def test_a_recipe_starts_from_a_run_and_says_so_but_for_classes_of_other_names(
    small: Callable[..., Recipe], tmp_path: Path
) -> None:
    first = start_run(small("epochs=1"), tmp_path / "first", Listener())
    first.fit()
    heard = Heard()
    second = start_run(small(f"weights={first.folder}", "epochs=1"), tmp_path / "second", heard)
    best = load_checkpoint(first.folder / "best.pt")
    assert heard.lines[-1] == f"{first.folder}: {len(best.state)} tensors taken"
    state = second.network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in best.state.items())
    save_checkpoint(tmp_path / "best.pt", dataclasses.replace(best, labels=["left", "right", "up"]))
    heard = Heard()
    third = start_run(small(f"weights={{motion: {tmp_path}}}", "epochs=1"), tmp_path / "third", heard)
    line = heard.lines[-1]
    assert "(left, right, up)" in line and line.endswith("; afresh: appearance, residual, fuse")
    assert parse_recipe((third.folder / "recipe.yaml").read_text()) == third.recipe


@pytest.mark.parametrize("override", ["weights={motion: {a: b}}", "weights={motion: []}", "weights={}"])
def test_weights_that_name_nothing_are_refused(small: Callable[..., Recipe], override: str) -> None:
    with pytest.raises(ConfigError, match="weights: expected parts of the network, each with a file or a list of"):
        small(override)
