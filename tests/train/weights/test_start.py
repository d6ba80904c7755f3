from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Callable, List, Mapping, Sequence, Union

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
from edgecvar.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgecvar.train.loop import start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.weights.published import adapt_channels
from edgecvar.train.weights.start import Weights
from edgecvar.train.weights.start import start_from as start_network

pytestmark = pytest.mark.train

BACKBONE = {"width": 0.1, "depth": 0.3}
SPEC = InputSpec(height=32, width=32)
LABELS = ["a", "b", "c"]

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


def saved(path: Path, source: Network, labels: Sequence[str] = LABELS, spec: InputSpec = SPEC) -> Path:
    save_checkpoint(path, Checkpoint("attp", {}, spec, list(labels), source.state_dict(), ""))
    return path


def start_from(target: Network, files: Sequence[Union[Path, str]], labels: Sequence[str] = ()) -> str:
    """Of files that lie somewhere, for the classes of `saved` unless others are given."""
    weights: Weights = [str(file) for file in files]
    return start_network(target, weights, SPEC, labels or LABELS)


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


class Heard(Listener):
    """What is said."""

    def __init__(self) -> None:
        self.lines: List[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


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
