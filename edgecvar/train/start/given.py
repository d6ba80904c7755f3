"""The recipe of a run, from what a user gives: class folders, a CSV, a recipe's file or its name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional, Sequence

import yaml

from edgecvar.errors import ConfigError
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.splits import Split
from edgecvar.train.parts import VALIDATION_FRACTION, Data
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, load_recipe, override_keys
from edgecvar.train.start.choice import choose_recipe
from edgecvar.train.start.layout import Places, find_places, is_data
from edgecvar.train.start.shipped import find_recipe

DRAWN = ("split_by", "validation_fraction")
TOLD = ("validation", "validation_pattern", "split")
"""Keys that draw what validates, and those that tell it: a user's replace a recipe's of the other kind."""
CHANGE = "change it with --split-by REGEX or --validation-fraction"


@dataclass(frozen=True)
class Wishes:
    """What a user sets beside what is given: `key=value` overrides, and how the clips that validate are drawn."""

    overrides: Sequence[str] = ()
    split_by: Optional[str] = None
    validation_fraction: Optional[float] = None

    def all_overrides(self) -> List[str]:
        """The overrides, the two wishes about the draw among them."""
        drawn = [] if self.split_by is None else [f"split_by={_quoted(self.split_by)}"]
        drawn += [] if self.validation_fraction is None else [f"validation_fraction={self.validation_fraction}"]
        return [*self.overrides, *drawn]


def _quoted(text: str) -> str:
    """The text as a YAML value on one line, whatever is in it."""
    return str(yaml.safe_dump(text, default_style='"', width=float("inf"))).strip()


def recipe_for(given: str, wishes: Wishes, listener: Listener) -> Recipe:
    """The recipe, said with its reasons; a drawn split is settled in it. Raises ConfigError and DatasetError."""
    recipe = _of_clips(given, wishes, listener) if is_data(given) else _of_recipe(find_recipe(given), wishes)
    if not recipe.data.is_drawn:
        return recipe
    draw = load_split(recipe.data).draw
    assert draw is not None
    listener.say(f"{draw.told()}; {CHANGE}")
    settled = {"split_by": draw.rule, "validation_fraction": recipe.data.fraction}
    return replace(recipe, data=recipe.data.model_copy(update=settled))


def _of_recipe(file: Path, wishes: Wishes) -> Recipe:
    overrides = wishes.all_overrides()
    keys = {key.split(".")[0] for key in override_keys(overrides)}
    cleared = TOLD if keys & set(DRAWN) else DRAWN if keys & set(TOLD) else ()
    return load_recipe(file, [*(f"{key}=" for key in cleared if key not in keys), *overrides])


def _of_clips(given: str, wishes: Wishes, listener: Listener) -> Recipe:
    """A shipped recipe on the clips given; clips that cannot be read are skipped, unless the user says otherwise."""
    if "data" in override_keys(wishes.overrides):
        raise ConfigError(f"data is {given} already; leave data=... out, or give a recipe in its place")
    places = find_places(Path(given))
    split = load_split(_data(places))
    _say_places(places, split, listener)
    clips = len(split.train) + len(split.validation)
    name, why = choose_recipe(clips)
    mine = [f"data={_quoted(str(places.source))}", "skip_unreadable=true"]
    if places.validation is not None:
        _refuse_draw(places, wishes)
        mine += [f"validation={_quoted(str(places.validation))}"]
    elif not split.validation:
        mine += [f"validation_fraction={VALIDATION_FRACTION}"]
    told = {key.split(".")[0] for key in override_keys(wishes.overrides)} & set(TOLD)
    cleared = [f"{key}=" for key in DRAWN] if told or places.validation is not None or split.validation else []
    recipe = load_recipe(find_recipe(name), [*mine, *cleared, *wishes.all_overrides()])
    drawn = f" --validation-fraction {recipe.data.fraction}" if recipe.data.is_drawn else ""
    listener.say(
        f"recipe {name}, {why}: {recipe.network.model}, {recipe.course.epochs} epochs; another, which edgecvar train "
        f"--list shows: edgecvar train NAME data={places.source}{drawn}"
    )
    return recipe


def _data(places: Places) -> Data:
    validation = None if places.validation is None else str(places.validation)
    return Data.model_validate({"data": str(places.source), "validation": validation})


def _refuse_draw(places: Places, wishes: Wishes) -> None:
    if wishes.split_by is not None or wishes.validation_fraction is not None:
        raise ConfigError(
            f"{places.validation} validates, so nothing is drawn; to draw from {places.source} alone: "
            f"edgecvar train {places.source} with these flags"
        )


def _say_places(places: Places, split: Split, listener: Listener) -> None:
    clips = len(split.train) + len(split.validation)
    listener.say(f"{places.source}: {len(split.labels)} classes, {clips} clips")
    if places.validation is not None:
        listener.say(f"{places.validation} validates: {len(split.validation)} clips")
    elif split.validation:
        listener.say(f"its column split says what validates: {len(split.validation)} clips")
    if places.left_out:
        more = f" and {len(places.left_out) - 1} more" if len(places.left_out) > 1 else ""
        listener.say(f"left out, in no class folder that trains or validates: {places.left_out[0]}{more}")
