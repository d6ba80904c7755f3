from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.train.loop import resolve
from edgecvar.train.recipe import load_recipe

pytestmark = pytest.mark.train

FOLDER = Path(__file__).resolve().parents[2] / "recipes"
RECIPES = sorted(FOLDER.glob("*/*.yaml"))


def test_there_are_recipes() -> None:
    assert {"synth/attp.yaml", "gestures/attp.yaml"} <= {path.relative_to(FOLDER).as_posix() for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_every_recipe_builds_and_learns_from_a_batch(path: Path) -> None:
    """Its own network at its own input size, on one batch of two drawn clips: every weight gets a gradient."""
    recipe = resolve(load_recipe(path, ["network.backbone.stochastic_depth=0"]))
    network = build_network(recipe.model, recipe.network, recipe.input, classes=3)
    sources = {"image": "image", "adjacent_image": "image", "motion": "motion", "residual": "residual"}
    tensors = {name: torch.randn(2, 2, *recipe.input.shape(source)) for name, source in sources.items()}
    batch = ClipBatch(**tensors, labels=torch.tensor([0, 2]))
    network.train()
    scores = network(batch)
    assert scores.shape == (2, 3)
    torch.nn.functional.cross_entropy(scores, batch.labels).backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert without == []
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters())


def test_the_demo_network_fits_in_six_megabytes() -> None:
    recipe = resolve(load_recipe(FOLDER / "synth" / "attp.yaml"))
    network = build_network(recipe.model, recipe.network, recipe.input, classes=12)
    assert sum(weight.numel() for weight in network.parameters()) < 1_400_000


def test_left_and_right_stay_apart() -> None:
    for path in RECIPES:
        if path.parent.name in ("synth", "gestures"):
            assert not load_recipe(path).augment.flip
