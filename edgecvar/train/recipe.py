"""The recipe: everything a training run depends on, stated once, in YAML and `key=value` alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Literal, Mapping, Optional, Sequence, Tuple, Type, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, unknown_name
from edgecvar.train.settings import (
    Augment,
    FlowSettings,
    OptimizerSettings,
    Phase,
    SamplingSettings,
    ScheduleSettings,
    SplitSettings,
    TestProtocol,
)


class Recipe(BaseModel):
    """One training run.

    `data`: class folders, or a CSV with the columns path, label and perhaps split. What validates is `validation`
    (folder or CSV), or the clips of `data` whose file name matches `validation_pattern`, or the CSV's split; with
    `split`, what its official test list names. Paths are relative to the current folder.
    `segments`: sampled pictures of a clip; `sampling`: which. `lr`: the peak, after a linear warm-up, before the
    schedule, counted in steps. `rates`: factors on it for the parameters whose names begin so, the longest beginning
    that fits.
    `optimizer` and `schedule`: how it descends. `losses`: names of edgecvar.train.losses and their weights;
    `phases`: which of them when. `clip_gradient`: largest norm. `teacher`: a last.pt whose teacher is taken over.
    `flow`: optical flow for losses that learn from it. `test`: how `edgecvar eval` looks at each clip.
    `cache_gib`: memory for clips kept as coded values; what does not fit is read again each epoch.
    `workers`: processes that read clips, threads that prepare them; 0 does it all in line. `threads`: torch's.
    `weights`: a checkpoint of this toolkit to start from, or one or more published state dicts: every backbone takes
    the one that is its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    model: str
    network: Dict[str, Any] = Field(default_factory=dict)
    input: InputSpec = InputSpec.model_validate({})
    data: str
    validation: Optional[str] = None
    validation_pattern: Optional[str] = None
    split: Optional[SplitSettings] = None
    segments: int = Field(8, ge=1, le=256)
    validation_segments: int = Field(8, ge=1, le=256)
    sampling: SamplingSettings = SamplingSettings.model_validate({})
    epochs: int = Field(30, ge=1)
    batch: int = Field(16, ge=1)
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_epochs: float = Field(1.0, ge=0)
    optimizer: OptimizerSettings = OptimizerSettings.model_validate({})
    schedule: ScheduleSettings = ScheduleSettings.model_validate({})
    rates: Dict[str, float] = Field(default_factory=dict)
    losses: Dict[str, float] = Field(default_factory=lambda: {"cross_entropy": 1.0}, min_length=1)
    phases: List[Phase] = Field(default_factory=list)
    teacher: Optional[str] = None
    flow: FlowSettings = FlowSettings.model_validate({})
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    clip_gradient: Optional[float] = Field(None, gt=0)
    seed: int = Field(0, ge=0)
    augment: Augment = Augment()
    test: TestProtocol = TestProtocol.model_validate({})
    skip_unreadable: bool = False
    cache_gib: float = Field(4.0, ge=0)
    workers: int = Field(2, ge=0, le=64)
    threads: Optional[int] = Field(None, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    weights: List[str] = Field(default_factory=list)

    @field_validator("weights", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [] if value is None else [value] if isinstance(value, str) else value

    @field_validator("validation_pattern")
    @classmethod
    def _compiles(cls, pattern: Optional[str]) -> Optional[str]:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    @field_validator("phases")
    @classmethod
    def _last_is_open(cls, phases: List[Phase]) -> List[Phase]:
        for number, phase in enumerate(phases, start=1):
            if (phase.epochs is None) != (number == len(phases)):
                wrong = "lasts to the run's end: leave its epochs out" if phase.epochs else "needs its epochs"
                raise ValueError(f"phase {number} of {len(phases)} {wrong}")
        return phases

    @model_validator(mode="after")
    def _one_way_to_validate(self) -> Recipe:
        if self.split is not None and (self.validation or self.validation_pattern):
            raise ValueError("split names the clips that validate: leave validation and validation_pattern out")
        return self

    def phase(self, epoch: int) -> Phase:
        """What epoch `epoch`, counted from 1, does; its losses are filled in."""
        phase = self._phases()[self._place(epoch)]
        return phase if phase.losses else phase.model_copy(update={"losses": self.losses})

    def starts_anew(self, epoch: int) -> bool:
        """Whether epoch `epoch` is the first of a phase that restarts optimisers and schedule."""
        place = self._place(epoch)
        return self._phases()[place].restart and (epoch == 1 or self._place(epoch - 1) != place)

    def stretch(self, epoch: int) -> Tuple[int, int]:
        """(epochs before it, its epochs): the part of the run around `epoch` that one schedule covers."""
        if not any(phase.restart for phase in self.phases):
            return 0, self.epochs
        starts = [0, *(each - 1 for each in range(2, self.epochs + 1) if self.starts_anew(each)), self.epochs]
        start = max(each for each in starts[:-1] if each < epoch)
        return start, min(each for each in starts if each > start) - start

    def _phases(self) -> List[Phase]:
        return self.phases or [Phase.model_validate({})]

    def _place(self, epoch: int) -> int:
        last = len(self._phases()) - 1
        end = 0
        for place, phase in enumerate(self._phases()):
            end += phase.epochs or 0
            if epoch <= end or place == last:
                return place
        return last

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
    if is_ablation(document):
        raise ConfigError(f"{where}: states the rows of an ablation, not a recipe: edgecvar ablate {where}")
    for override in overrides:
        _apply(document, override)
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise _explain(error, where) from error


def is_ablation(document: Any) -> bool:
    """Whether a YAML document states an ablation's rows, and not a recipe."""
    return isinstance(document, dict) and "rows" in document


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
        if part.isdigit():
            continue
        inner = _model_in(model.model_fields[part].annotation)
        if inner is None:
            break
        model = inner
    return model.model_fields


def _model_in(annotation: Any) -> Optional[Type[BaseModel]]:
    """The model that an annotation such as Optional[Model] or List[Model] holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for inner in map(_model_in, get_args(annotation)) if inner is not None), None)
