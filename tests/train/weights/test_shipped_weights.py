"""`weights: synth-motion`: found by name, taken whole by networks of its form, refused in one line by others."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, Callable, List

import pytest
import tomllib
import torch
import yaml

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import ConfigError
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import load_checkpoint
from edgecvar.train.loop import resolve, start_run
from edgecvar.train.recipe import Recipe, load_recipe, recipe_of
from edgecvar.train.weights.sources import SHIPPED, weights_file
from edgecvar.train.weights.start import Weights, start_from
from tests.train.heard import Heard

pytestmark = pytest.mark.train

TOP = Path(__file__).resolve().parents[3]
NAME = "synth-motion"
GESTURES = TOP / "recipes" / "gestures" / "motion.yaml"
CLASSIFIER = "motion.past.classifier"


def started(weights: Weights, *overrides: str, classes: int = 3) -> tuple[Network, str]:
    """A new network of the gestures' recipe, and what was said of its start."""
    design = resolve(load_recipe(GESTURES, overrides)).network
    torch.manual_seed(1)
    network = build_network(design.model, design.options, design.input, classes)
    return network, start_from(network, weights, design.input, [str(number) for number in range(classes)])


def test_the_name_is_a_small_file_of_the_package_whatever_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).mkdir()
    monkeypatch.chdir(tmp_path)
    assert weights_file(NAME) == SHIPPED[NAME] == TOP / "edgecvar" / "train" / "weights" / f"{NAME}.pt"
    assert SHIPPED[NAME].stat().st_size < 500_000


def test_the_demo_was_compiled_from_it_and_the_committed_recipe_made_it() -> None:
    checkpoint = load_checkpoint(SHIPPED[NAME])
    made, recipe = recipe_of(yaml.safe_load(checkpoint.recipe)), load_recipe(TOP / "recipes" / "synth" / "motion.yaml")
    assert replace(resolve(made), machine=recipe.machine) == resolve(recipe)  # on whatever machine
    assert checkpoint.data == "data/synth/train"
    manifest = open_bundle(default_bundle()).manifest
    assert manifest.provenance.checkpoint_sha256 == hashlib.sha256(SHIPPED[NAME].read_bytes()).hexdigest()
    assert (manifest.labels, manifest.input) == (checkpoint.labels, checkpoint.input)


def test_a_network_for_gestures_takes_all_but_the_classifier() -> None:
    network, line = started([NAME])
    theirs, own = load_checkpoint(SHIPPED[NAME]).state, network.state_dict()
    taken = [name for name in own if not name.startswith(CLASSIFIER)]
    assert line.startswith(f"{NAME}: {len(taken)} tensors taken, it tells other classes apart (down, left, ")
    assert line.endswith(f"; afresh: {CLASSIFIER}") and "learnt with" not in line
    assert len(taken) == len(own) - 2 > 20
    assert all(torch.equal(own[name], theirs[name]) for name in taken)
    torch.manual_seed(1)
    fresh = build_network("motion", load_checkpoint(SHIPPED[NAME]).network, load_checkpoint(SHIPPED[NAME]).input, 3)
    assert torch.equal(own[f"{CLASSIFIER}.weight"], fresh.state_dict()[f"{CLASSIFIER}.weight"])


def test_other_units_and_rates_are_said() -> None:
    _, line = started([NAME], "input.velocity_unit=1.0", "input.velocity_per=frame", "input.rate=30")
    said = "learnt with input.velocity_unit=0.5, learnt with input.velocity_per=second, learnt with input.rate=15.0"
    assert f", {said}; afresh: " in line


@pytest.mark.parametrize(
    ("override", "missing", "has"),
    [
        ("input.width=96", r"\(64, 12, 6, 12\) for motion\.picture\.project\.weight", r"\(64, 12, 6, 8\)"),
        ("network.width=32", r"\(32, 12, 6, 8\) for motion\.picture\.project\.weight", r"\(64, 12, 6, 8\)"),
        ("network.channels=8", r"\(8, 4, 3, 3\) for motion\.picture\.conv\.weight", r"\(12, 4, 3, 3\)"),
        ("network.residual=true", r"\(12, 5, 3, 3\) for motion\.picture\.conv\.weight", r"\(12, 4, 3, 3\)"),
    ],
)
def test_another_form_is_refused_in_one_line(override: str, missing: str, has: str) -> None:
    said = rf"^{NAME}: no weights of shape {missing} in it, which is of motion at 64 x 48 and has {has}; set [^\n]+$"
    with pytest.raises(ConfigError, match=said):
        started([NAME], override)


def test_the_parts_that_agree_may_be_named() -> None:
    network, line = started({"motion.past": [NAME]}, "input.width=96", "network.residual=true")
    theirs, own = load_checkpoint(SHIPPED[NAME]).state, network.state_dict()
    convs = [name for name in own if name.startswith("motion.past.convs.")]
    assert convs and all(torch.equal(own[name], theirs[name]) for name in convs)
    assert line.endswith(f"; afresh: motion.picture, {CLASSIFIER}")


def test_a_name_that_is_nearly_one_is_told_which() -> None:
    with pytest.raises(ConfigError, match=r"^synth-moton: no such file; did you mean synth-motion\?$"):
        started(["synth-moton"])


def test_a_recipe_that_names_it_starts_from_it(small: Callable[..., Recipe], tmp_path: Path) -> None:
    design = yaml.safe_load(GESTURES.read_text(encoding="utf-8"))
    keys: List[Any] = ["model", "network", "input", "sampling"]
    document = {**small("epochs=1").document(), **{key: design[key] for key in keys}, "weights": NAME}
    heard = Heard()
    training = start_run(resolve(recipe_of(document)), tmp_path / "runs", heard)
    assert any(line.startswith(f"{NAME}: ") and line.endswith(f"afresh: {CLASSIFIER}") for line in heard.lines)
    theirs, own = load_checkpoint(SHIPPED[NAME]).state, training.network.state_dict()
    assert torch.equal(own["motion.picture.project.weight"], theirs["motion.picture.project.weight"])


def test_a_wheel_has_it() -> None:
    """A wheel has what lies in the package, but for what is left out or ignored."""
    path = SHIPPED[NAME].relative_to(TOP).as_posix()
    build = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["scikit-build"]
    assert set(build["wheel"]) == {"exclude"} and "sdist" not in build  # what else may leave files out
    assert not any(PurePosixPath(path).match(pattern) for pattern in build["wheel"]["exclude"])
    ignored = (TOP / ".gitignore").read_text(encoding="utf-8").split()
    assert not any(fnmatch(path, f"*{pattern.strip('/')}*") for pattern in ignored)
