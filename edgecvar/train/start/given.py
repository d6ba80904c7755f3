"""The recipe of a run, from what a user gives: class folders, a CSV, a recipe's file or its name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import yaml

from edgecvar.errors import ConfigError
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.splits import Split
from edgecvar.train.parts import VALIDATION_FRACTION, Data
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, load_recipe, override_keys
from edgecvar.train.start.checks import resolve
from edgecvar.train.start.choice import choose_recipes
from edgecvar.train.start.layout import Places, find_places, is_data
from edgecvar.train.start.shipped import find_recipe
from edgecvar.train.weights.imagenet import PACKAGES, imagenet_file
from edgecvar.train.weights.published import IMAGENET

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


def recipes_for(given: str, wishes: Wishes, listener: Listener) -> List[Recipe]:
    """The recipe, or those to be tried on clips alone, said with the reasons; a drawn split is settled in them.

    Raises ConfigError and DatasetError.
    """
    of_clips = is_data(given)
    recipes = _of_clips(given, wishes, listener) if of_clips else [_of_recipe(find_recipe(given), wishes)]
    if not recipes[0].data.is_drawn:
        return recipes
    draw = load_split(recipes[0].data).draw
    assert draw is not None
    listener.say(f"{draw.told()}; {CHANGE}")
    settled = {"split_by": draw.rule, "validation_fraction": recipes[0].data.fraction}
    return [replace(each, data=each.data.model_copy(update=settled)) for each in recipes]


def _of_recipe(file: Path, wishes: Wishes) -> Recipe:
    overrides = wishes.all_overrides()
    keys = {key.split(".")[0] for key in override_keys(overrides)}
    cleared = TOLD if keys & set(DRAWN) else DRAWN if keys & set(TOLD) else ()
    return load_recipe(file, [*(f"{key}=" for key in cleared if key not in keys), *overrides])


def _of_clips(given: str, wishes: Wishes, listener: Listener) -> List[Recipe]:
    """Shipped recipes on the clips given; clips that cannot be read are skipped, unless the user says otherwise."""
    if "data" in override_keys(wishes.overrides):
        raise ConfigError(f"data is {given} already; leave data=... out, or give a recipe in its place")
    places = find_places(Path(given))
    split = load_split(_data(places))
    _say_places(places, split, listener)
    mine = [f"data={_quoted(str(places.source))}", "skip_unreadable=true"]
    if places.validation is not None:
        _refuse_draw(places, wishes)
        mine += [f"validation={_quoted(str(places.validation))}"]
    elif not split.validation:
        mine += [f"validation_fraction={VALIDATION_FRACTION}"]
    told = {key.split(".")[0] for key in override_keys(wishes.overrides)} & set(TOLD)
    cleared = [f"{key}=" for key in DRAWN] if told or places.validation is not None or split.validation else []
    names, why = choose_recipes(len(split.train) + len(split.validation))
    recipes = _loaded(names, [*mine, *cleared, *wishes.all_overrides()], listener)
    drawn = f" --validation-fraction {recipes[0][1].data.fraction}" if recipes[0][1].data.is_drawn else ""
    tried = "; ".join(f"{name}: {each.network.model}, {each.course.epochs} epochs" for name, each in recipes)
    listener.say(
        f"recipe{'s' if len(recipes) > 1 else ''}, {why}: {tried}; another, which edgecvar train --list shows: "
        f"edgecvar train NAME data={places.source}{drawn}"
    )
    return [recipe for _, recipe in recipes]


def _loaded(names: Sequence[str], overrides: Sequence[str], listener: Listener) -> List[Tuple[str, Recipe]]:
    """The recipes that can start and take the overrides, the others said; raises ConfigError where none does."""
    taken: List[Tuple[str, Recipe]] = []
    refused: List[Tuple[str, ConfigError]] = []
    for name in names:
        try:
            recipe = load_recipe(find_recipe(name), overrides)
            resolve(recipe)
            _check_start(recipe)
            taken.append((name, recipe))
        except ConfigError as error:
            refused.append((name, error))
    if not taken:
        raise refused[0][1]
    for name, refusal in refused:
        listener.say(f"recipe {name} is left out: {refusal}")
    return taken


def _check_start(recipe: Recipe) -> None:
    """Raises ConfigError where the published weights that it starts from are not installed."""
    backbone = recipe.network.options.get("backbone")
    if IMAGENET in recipe.network.weights and isinstance(backbone, str) and backbone in PACKAGES:
        imagenet_file(backbone)


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
