"""An ablation as a file states it: one recipe, and for each row of a table what it changes in that recipe."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgecvar.config import mistake
from edgecvar.documents import read_text
from edgecvar.errors import ConfigError, reason, unknown_name
from edgecvar.plain_yaml import parse_yaml
from edgecvar.train.recipe import Recipe, is_ablation, load_recipe
from edgecvar.train.start.checks import resolve


class Ablation(BaseModel):
    """A table of runs.

    `recipe`: the recipe's file, relative to this one. `set`: what all rows change in it; `rows`: each row's name and
    what it changes beside: mappings of a recipe's keys, nested or dotted, a mapping into a mapping. `seeds`: each row
    is trained once with each; the recipe's own unless given. `test`: clips that tell the rows apart, a folder or CSV
    as a recipe's `data`; the clips that validate unless given. `paper`: columns of published figures, in percent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    common: Dict[str, Any] = Field(default_factory=dict, alias="set")
    rows: Dict[str, Optional[Dict[str, Any]]] = Field(min_length=1)
    seeds: List[int] = Field(default_factory=list)
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
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"a seed is given twice: {self.seeds}")
        return self


@dataclass(frozen=True)
class Planned:
    """One run to be: a row with one seed, its recipe, and where its run folder goes."""

    row: str
    recipe: Recipe
    root: Path


def load_ablation(path: Path) -> Ablation:
    """Read an ablation's file; raises ConfigError."""
    try:
        document = parse_yaml(read_text(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the ablation ({reason(error)})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {reason(error)}") from error
    if not is_ablation(document):
        raise ConfigError(f"{path}: not an ablation, which has `rows`; recipes/synth/attp-table3.yaml is one")
    try:
        return Ablation.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{path}: {mistake(error, Ablation)}") from error


def plan(ablation: Ablation, path: Path, overrides: Sequence[str], output: Path) -> List[Planned]:
    """Every run of the file at `path`, row by row, below `output`.

    `overrides` (KEY=VALUE) change all rows; a seed among them takes the place of `seeds`. Raises ConfigError.
    """
    seeded_here = any(override.partition("=")[0].strip() == "seed" for override in overrides)
    seeds: List[Optional[int]] = [None] if seeded_here or not ablation.seeds else [*ablation.seeds]
    planned = []
    for name, changes in ablation.rows.items():
        stated = [*as_overrides(ablation.common), *as_overrides(changes or {}), *overrides]
        for seed in seeds:
            seeded = stated if seed is None else [*stated, f"seed={seed}"]
            try:
                recipe = resolve(load_recipe(path.parent / ablation.recipe, seeded))
            except ConfigError as error:
                raise ConfigError(f"{path}: row {name!r}: {error}") from error
            planned.append(Planned(name, recipe, output / slug(name) / f"seed-{recipe.views.seed}"))
    return planned


def as_overrides(changes: Mapping[str, Any], inside: str = "") -> List[str]:
    """A mapping of changes as KEY=VALUE; what is nested is set inside what the recipe has there."""
    stated: List[str] = []
    for key, value in changes.items():
        place = f"{inside}{key}"
        if isinstance(value, dict) and value:
            stated += as_overrides(value, f"{place}.")
        else:
            stated.append(f"{place}={json.dumps(value)}")
    return stated


def slug(name: str) -> str:
    """A row's name as a folder's: small letters and digits, `-` for what lies between."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
