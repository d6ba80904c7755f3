"""An ablation as a file states it: one recipe, and for each row of a table what it changes in that recipe."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgecvar.config import mistake
from edgecvar.documents import read_text
from edgecvar.errors import ConfigError, reason, unknown_name
from edgecvar.plain_yaml import parse_yaml
from edgecvar.train.parts import Architecture
from edgecvar.train.recipe import LIKE, Recipe, is_ablation, load_recipe, override_keys
from edgecvar.train.start.checks import resolve
from edgecvar.train.start.shipped import find_table, shipped_name

SPLITS = {"ucf101": [1, 2, 3], "hmdb51": [1, 2, 3]}
"""The official splits of a data set, by the format of its lists, where papers average over several."""


class Ablation(BaseModel):
    """A table of runs.

    `recipe`: the recipe's file, relative to this one; a row may name another. `set`: what all rows change in it;
    `rows`: each row's name and what it changes beside: mappings of a recipe's keys, nested or dotted, a mapping into a
    mapping. `seeds`, `splits`: each row is trained once with each seed on each official split; the recipe's own unless
    given. `test`: clips that tell the rows apart, a folder or CSV as a recipe's `data`; the clips that validate unless
    given. `paper`: columns of published figures, in percent.

    A file with `like` begins as the ablation in that file, named relative to it, and gives what differs: `set` is put
    over that one's, any other key takes the place of its. Recipes, its rows' too, are sought from the file with `like`
    on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    common: Dict[str, Any] = Field(default_factory=dict, alias="set")
    rows: Dict[str, Optional[Dict[str, Any]]] = Field(min_length=1)
    seeds: List[int] = Field(default_factory=list)
    splits: List[int] = Field(default_factory=list)
    test: Optional[str] = None
    paper: Dict[str, Dict[str, float]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_fit(self) -> Ablation:
        for column, figures in self.paper.items():
            for name in figures:
                if name not in self.rows:
                    raise ValueError(f"column {column!r} of the paper: {unknown_name('row', name, self.rows)}")
        folders = [slug(name) for name in self.rows]
        for name, folder in zip(self.rows, folders):
            if not folder or folders.count(folder) > 1:
                raise ValueError(f"row {name!r} has no folder of its own ({folder!r}); give it another name")
        for what, given in (("seed", self.seeds), ("split", self.splits)):
            if len(set(given)) < len(given):
                raise ValueError(f"a {what} is given twice: {given}")
        return self


@dataclass(frozen=True)
class Planned:
    """One run to be: a row on one official split, if it says which, with one seed; its run folder goes to `root`.

    `command` trains the same alone.
    """

    row: str
    recipe: Recipe
    root: Path
    split: Optional[int] = None
    command: str = ""


def find_ablation(given: str) -> Tuple[Ablation, Path]:
    """The ablation of a file or of a shipped one's name, and its file; raises ConfigError.

    That of a recipe has one row, on all official splits of its data set that papers average over.
    """
    path = find_table(given)
    try:
        return load_ablation(path), path
    except NoAblation:
        recipe = load_recipe(path)
    split = recipe.data.split
    rows: Dict[str, Any] = {shipped_name(path) or path.stem: {}}
    splits = [] if split is None else SPLITS.get(split.format, [])
    return Ablation.model_validate({"recipe": path.name, "rows": rows, "splits": splits}), path


class NoAblation(ConfigError):
    """A document without rows."""


def load_ablation(path: Path) -> Ablation:
    """Read an ablation's file; raises ConfigError."""
    document = _read(path)
    if LIKE in document:
        document = _like(document, path)
    try:
        return Ablation.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{path}: {mistake(error, Ablation)}") from error


def _read(path: Path) -> Dict[str, Any]:
    try:
        document = parse_yaml(read_text(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the ablation ({reason(error)})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {reason(error)}") from error
    if not is_ablation(document):
        raise NoAblation(
            f"{path}: not an ablation, which has `rows` or is `like` another; recipes/synth/attp-table3.yaml is one"
        )
    return dict(document)


def _like(document: Mapping[str, Any], path: Path) -> Dict[str, Any]:
    """The ablation that this one is like, and what it changes in that."""
    named = str(document[LIKE])
    start = _read(path.parent / named)
    if LIKE in start:
        raise ConfigError(f"{path}: like {named}, which is like another itself; name that one")
    merged = {key: value for key, value in {**start, **document}.items() if key != LIKE}
    commons = [each.get("set") or {} for each in (start, document)]
    if all(isinstance(each, dict) for each in commons):
        merged["set"] = {key: value for each in commons for key, value in _dotted(each).items()}
    return merged


def plan(ablation: Ablation, path: Path, overrides: Sequence[str], output: Path) -> List[Planned]:
    """Every run of the file at `path`, row by row, split by split, below `output`.

    `overrides` (KEY=VALUE) change all rows; a seed or a split.number among them takes the place of `seeds` or `splits`.
    Raises ConfigError.
    """
    here = override_keys(overrides)
    seeds: Sequence[Optional[int]] = [None] if "seed" in here or not ablation.seeds else ablation.seeds
    splits: Sequence[Optional[int]] = [None] if "split.number" in here or not ablation.splits else ablation.splits
    planned = []
    for name, changes in ablation.rows.items():
        changes = dict(changes or {})
        file = path.parent / str(changes.pop("recipe", ablation.recipe))
        stated = [*as_overrides(ablation.common), *as_overrides(changes), *overrides]
        network: Optional[Architecture] = None  # resolved once: splits and seeds are of one
        for split, seed in ((split, seed) for split in splits for seed in seeds):
            drawn = [] if split is None else [f"split.number={split}"]
            drawn += [] if seed is None else [f"seed={seed}"]
            try:
                loaded = load_recipe(file, [*stated, *drawn])
                recipe = resolve(loaded) if network is None else replace(loaded, network=network)
            except ConfigError as error:
                raise ConfigError(f"{path}: row {name!r}: {error}") from error
            network = recipe.network
            place = slug(name) if split is None else f"{slug(name)}/split-{split}"
            command = shlex.join(["edgecvar", "train", shipped_name(file) or str(file), *stated, *drawn])
            planned.append(Planned(name, recipe, output / place / f"seed-{recipe.views.seed}", split, command))
    return planned


def as_overrides(changes: Mapping[str, Any]) -> List[str]:
    """A mapping of changes as KEY=VALUE; what is nested is set inside what the recipe has there."""
    return [f"{key}={json.dumps(value)}" for key, value in _dotted(changes).items()]


def _dotted(changes: Mapping[str, Any], inside: str = "") -> Dict[str, Any]:
    """Each value by the dotted key of its place."""
    found: Dict[str, Any] = {}
    for key, value in changes.items():
        if isinstance(value, dict) and value:
            found.update(_dotted(value, f"{inside}{key}."))
        else:
            found[f"{inside}{key}"] = value
    return found


def slug(name: str) -> str:
    """A row's name as a folder's: small letters and digits, `-` for what lies between."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
