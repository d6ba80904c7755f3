"""The recipe: everything a training run depends on, stated once, in YAML and `key=value` alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Literal, Mapping, Optional, Sequence, Tuple, Type

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, unknown_name


class Augment(BaseModel):
    """How training looks at a clip differently each time; validation never does.

    `flip`: mirror half of the clips (wrong where left and right are classes). `scale`: range of the view's side,
    as a part of the central view. `shift`: how far from the centre the view may lie, as a part of the room.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip: bool = False
    scale: Tuple[float, float] = (1.0, 1.0)
    shift: float = Field(default=0.0, ge=0, le=1)

    @field_validator("scale")
    @classmethod
    def _ordered(cls, scale: Tuple[float, float]) -> Tuple[float, float]:
        if not 0.1 <= scale[0] <= scale[1] <= 10:
            raise ValueError(f"got {list(scale)}, expected [low, high] with 0.1 <= low <= high <= 10")
        return scale


class Recipe(BaseModel):
    """One training run.

    `data`: class folders, or a CSV with the columns path, label and perhaps split. What validates is `validation`
    (folder or CSV), or the clips of `data` whose file name matches `validation_pattern`, or the CSV's split.
    Paths are relative to the current folder. `segments`: sampled pictures of a clip (TSN). `lr`: the peak, after a
    linear warm-up, before a half cosine down to zero, both counted in steps. `clip_gradient`: largest norm.
    `cache_gib`: memory for clips kept as coded values; what does not fit is read again each epoch.
    `workers`: processes that read clips, threads that prepare them; 0 does it all in line. `threads`: torch's.
    `weights`: a checkpoint of this toolkit to start from, or a torchvision state dict for every backbone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    model: str
    network: Dict[str, Any] = Field(default_factory=dict)
    input: InputSpec = InputSpec.model_validate({})
    data: str
    validation: Optional[str] = None
    validation_pattern: Optional[str] = None
    segments: int = Field(8, ge=1, le=256)
    validation_segments: int = Field(8, ge=1, le=256)
    epochs: int = Field(30, ge=1)
    batch: int = Field(16, ge=1)
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_epochs: float = Field(1.0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    clip_gradient: Optional[float] = Field(None, gt=0)
    seed: int = Field(0, ge=0)
    augment: Augment = Augment()
    skip_unreadable: bool = False
    cache_gib: float = Field(4.0, ge=0)
    workers: int = Field(2, ge=0, le=64)
    threads: Optional[int] = Field(None, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    weights: Optional[str] = None

    @field_validator("validation_pattern")
    @classmethod
    def _compiles(cls, pattern: Optional[str]) -> Optional[str]:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    def to_yaml(self) -> str:
        """The resolved copy that is saved with the run."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `key=value` overrides, keys dotted, values as YAML; raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"{path}: cannot read the recipe ({reason}); recipes/ holds some") from error
    return parse_recipe(text, overrides, str(path))


def parse_recipe(text: str, overrides: Sequence[str] = (), where: str = "recipe") -> Recipe:
    """The recipe that a YAML text and overrides state; raises ConfigError with the key that is wrong."""
    document = _yaml(text, where)
    if not isinstance(document, dict):
        got = type(document).__name__
        raise ConfigError(f"{where}: a recipe is a mapping of keys to values, got {got}; see recipes/")
    for override in overrides:
        _apply(document, override)
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise _explain(error, where) from error


def override_keys(overrides: Sequence[str]) -> List[str]:
    """The first part of each override's key."""
    return [_split(override)[0][0] for override in overrides]


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not YAML: {' '.join(str(error).split())}") from error


def _split(override: str) -> Tuple[List[str], str]:
    key, equals, value = override.partition("=")
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


def _explain(error: ValidationError, where: str) -> ConfigError:
    """One line for the first thing that is wrong."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = _fields_at(Recipe, path[:-1])
        nearest = unknown_name("key", path[-1], known)
        inside = f" in {'.'.join(path[:-1])!r}" if path[:-1] else ""
        return ConfigError(f"{where}: {nearest}{inside}")
    if first["type"] == "missing":
        return ConfigError(f"{where}: {key!r} is missing; set it in the recipe or give {key}=...")
    message = first["msg"].replace("Value error, ", "")
    return ConfigError(f"{where}: {key}: {message} (got {first['input']!r})")


def _fields_at(model: Type[BaseModel], path: Sequence[str]) -> Mapping[str, Any]:
    for part in path:
        inner = model.model_fields[part].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return model.model_fields
