"""Any bytes as a recipe, and as what sets its keys on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

from edgecvar.errors import EdgecvarError
from edgecvar.train.recipe import load_recipe
from tests.fuzz.documents import folder, mutated, one_line

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
mutate = mutated


def seeds() -> Dict[str, bytes]:
    """A recipe of each network, some with overrides after a zero byte each."""
    files = sorted(RECIPES.glob("synth/*.yaml"))
    overrides = (b"", b"\0epochs=3\0network.fusion=i", b"\0input={height: 64}\0data=[a, b]")
    return {
        f"{file.parent.name}-{file.name}": file.read_bytes() + overrides[place % 3] for place, file in enumerate(files)
    }


def check(data: bytes) -> None:
    """A recipe that is read says itself: what it is resolved to is read as the same."""
    text, *overrides = data.split(b"\0")
    file = folder() / "recipe.yaml"
    file.write_bytes(text)
    try:
        recipe = load_recipe(file, [os.fsdecode(override) for override in overrides])
    except EdgecvarError as error:
        one_line(error)
    else:
        file.write_text(recipe.to_yaml(), encoding="utf-8")
        assert load_recipe(file) == recipe
