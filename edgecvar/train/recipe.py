"""The recipe: everything a training run depends on, stated once, in YAML and `key=value` alike."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type, get_type_hints

import yaml
from pydantic import ValidationError

from edgecvar.config import mistake
from edgecvar.documents import check_unicode, read_text
from edgecvar.errors import ConfigError, reason, unknown_name
from edgecvar.plain_yaml import parse_yaml
from edgecvar.train.parts import Architecture, Course, Data, Descent, Machine, Part, Views


@dataclass(frozen=True)
class Recipe:
    """One training run, in parts; its document has the keys of all of them side by side."""

    network: Architecture
    data: Data
    views: Views
    course: Course
    descent: Descent
    machine: Machine

    def document(self) -> Dict[str, Any]:
        """Every key with its value as plain data."""
        parts: List[Part] = [getattr(self, field.name) for field in fields(self)]
        return {key: value for part in parts for key, value in part.model_dump(mode="json", by_alias=True).items()}

    def to_yaml(self) -> str:
        """The resolved copy that is saved with the run."""
        return yaml.safe_dump(self.document(), sort_keys=False, allow_unicode=True)


PARTS: Dict[str, Type[Part]] = get_type_hints(Recipe)


def recipe_of(document: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """The recipe that a mapping of keys to values states; raises ConfigError with the key that is wrong."""
    keys = [key for part in PARTS.values() for key in part.document_keys()]
    for key in document:
        if key not in keys:
            raise ConfigError(f"{where}: {unknown_name('key', str(key), keys)}")
    parts: Dict[str, Any] = {}
    for name, part in PARTS.items():
        try:
            parts[name] = part.model_validate({key: document[key] for key in part.document_keys() if key in document})
        except ValidationError as error:
            raise ConfigError(f"{where}: {mistake(error, part)}") from error
    return Recipe(**parts)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `key=value` overrides, keys dotted, values as YAML; raises ConfigError."""
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot read the recipe ({reason(error)}); recipes/ holds some") from error
    return parse_recipe(text, overrides, str(path))


def parse_recipe(text: str, overrides: Sequence[str] = (), where: str = "recipe") -> Recipe:
    """The recipe that a YAML text and overrides state; raises ConfigError with the key that is wrong."""
    document = _yaml(text, where)
    if not isinstance(document, dict):
        kind = type(document).__name__
        raise ConfigError(f"{where}: a recipe is a mapping of keys to values, got {kind}; see recipes/")
    if is_ablation(document):
        raise ConfigError(f"{where}: states the rows of an ablation, not a recipe: edgecvar ablate {where}")
    for override in overrides:
        _apply(document, override)
    return recipe_of(document, where)


ROWS, LIKE = "rows", "like"
"""The keys of which an ablation has one: its own rows, or the file of another that it is like."""


def is_ablation(document: Any) -> bool:
    """Whether a YAML document states an ablation, by its rows or by another that it is like, and not a recipe."""
    return isinstance(document, dict) and (ROWS in document or LIKE in document)


def override_keys(overrides: Sequence[str]) -> List[str]:
    """Each override's key, dotted."""
    return [".".join(_split(override)[0]) for override in overrides]


def first_outside(overrides: Sequence[str], allowed: Sequence[str]) -> Optional[str]:
    """The first override that sets neither one of the keys `allowed` nor a part of one."""
    keys = zip(overrides, override_keys(overrides))
    outside = (each for each, key in keys if not any(f"{key}.".startswith(f"{place}.") for place in allowed))
    return next(outside, None)


def _yaml(text: str, where: str) -> Any:
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {reason(error)}") from error


def _split(override: str) -> Tuple[List[str], str]:
    key, equals, value = override.partition("=")
    try:
        check_unicode(key)
    except ValueError as error:
        raise ConfigError(f"{override!r}: {error}") from error
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"{override!r}: expected key=value, for example epochs=3 or network.fusion=i")
    return parts, value


def _apply(document: Dict[str, Any], override: str) -> None:
    parts, value = _split(override)
    place = document
    for part in parts[:-1]:
        if place.get(part) is None:
            place[part] = {}
        place = place[part]
        if not isinstance(place, dict):
            raise ConfigError(f"{override!r}: {part!r} holds one value, so nothing can be set inside it")
    place[parts[-1]] = _yaml(value, repr(override))
