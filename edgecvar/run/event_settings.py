"""When scores become an event: the thresholds, the times and the labels that never do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgecvar.config import mistake
from edgecvar.documents import read_text
from edgecvar.errors import ConfigError, reason, unknown_name
from edgecvar.files import whole_file
from edgecvar.plain_yaml import parse_yaml
from edgecvar.terminal import printable

BACKGROUND = frozenset(
    (
        *("background", "nothing", "none", "idle", "negative", "normal"),
        *("noaction", "noactivity", "noevent", "nogesture", "nomotion", "nobody"),
    )
)
"""Labels that give no event unless told otherwise, in lower case without spaces and signs."""
NEGATIONS = ("no", "non", "not")
"""With one of these before another label of the same bundle, as noFight beside fight, a label is background, too."""
LONGEST = 3600.0


class _Strict(BaseModel):
    """Keys are those stated; `on` and `off`, which YAML takes for true and false, are meant as they are written."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        return {
            {True: "on", False: "off"}.get(key, key) if isinstance(key, bool) else key: document[key]
            for key in document
        }


class LabelSettings(_Strict):
    """What differs for one label; what is None is as for all. The fields are those of `EventSettings`."""

    on: Optional[float] = Field(None, gt=0, le=1)
    off: Optional[float] = Field(None, gt=0, le=1)
    hold: Optional[float] = Field(None, ge=0, le=LONGEST)
    shortest: Optional[float] = Field(None, ge=0, le=LONGEST)
    cooldown: Optional[float] = Field(None, ge=0, le=LONGEST)


class EventSettings(_Strict):
    """How an event begins and ends; seconds are the stream's own.

    A sampled picture's own probabilities are smoothed with the time constant `smoothing`. An event is a stretch of at
    least `shortest` seconds in which a label's smoothed one is at `off` or above, and for `hold` seconds at a time at
    `on` or above; it begins where that rises to `off`. `cooldown` seconds pass before another one of its label may
    begin. `labels` differ by name. `background`: labels that never give an event, instead of those whose name says so
    (see `background_of`).
    """

    on: float = Field(0.7, gt=0, le=1)
    off: float = Field(0.3, gt=0, le=1)
    smoothing: float = Field(0.3, ge=0, le=LONGEST)
    hold: float = Field(0.2, ge=0, le=LONGEST)
    shortest: float = Field(0.4, ge=0, le=LONGEST)
    cooldown: float = Field(0.5, ge=0, le=LONGEST)
    background: Optional[Tuple[str, ...]] = Field(None, strict=False)
    labels: Dict[str, LabelSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ordered(self) -> EventSettings:
        for name in ("", *self.labels):
            rules = self.of(name)
            if rules.off > rules.on:
                where = f"labels.{name}: " if name else ""
                raise ValueError(f"{where}off={rules.off:g} is above on={rules.on:g}: an event would end as it begins")
        return self

    def of(self, label: str) -> EventSettings:
        """The settings of one label: its own, and those for all."""
        own = self.labels.get(label, LabelSettings())
        return self.model_copy(update=own.model_dump(exclude_none=True))

    def check(self, labels: Sequence[str]) -> None:
        """Raises ConfigError, with the nearest one, for a label that a bundle does not have."""
        for name in (*self.labels, *(self.background or ())):
            if name not in labels:
                raise unknown_name("label", name, labels, " in the events")


def background_of(settings: EventSettings, labels: Sequence[str]) -> FrozenSet[str]:
    """The labels that give no event: those that are named, or else those whose name says that nothing happens."""
    if settings.background is not None:
        return frozenset(settings.background)
    plain = {label: re.sub(r"[\W_]+", "", label).casefold() for label in labels}
    negated = {f"{negation}{name}" for negation in NEGATIONS for name in plain.values() if len(name) > 2}
    return frozenset(label for label, name in plain.items() if name in BACKGROUND or name in negated)


def read_event_settings(path: Optional[Path], overrides: Sequence[str] = ()) -> EventSettings:
    """The settings of a YAML file, or the defaults, with overrides such as labels.fight.on=0.8; raises ConfigError."""
    document: Any = {}
    if path is not None:
        try:
            document = parse_yaml(read_text(path)) or {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: cannot read the settings of events ({reason(error)})") from error
    where = "the settings of events" if path is None else str(path)
    if not isinstance(document, dict):
        raise ConfigError(f"{where}: expected keys and values such as `hold: 0.5`, got {type(document).__name__}")
    for override in overrides:
        _apply(document, override)
        where = f"--event {override}" if path is None else where
    try:
        return EventSettings.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{where}: {mistake(error, EventSettings)}") from error


def write_event_settings(path: Path, settings: EventSettings, notes: Sequence[str] = ()) -> None:
    """A file that `read_event_settings` reads, led by notes; raises ConfigError where it cannot be written."""
    document = settings.model_dump(mode="json", exclude_none=True)
    lines = [f"# {printable(note)}" for note in notes]
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    try:
        with whole_file(path) as draft:
            draft.write_text("\n".join([*lines, text]), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({reason(error)}); choose another file") from error


def _apply(document: Dict[Any, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    parts = _parts(key.strip())
    if not equals or not all(parts):
        raise ConfigError(f"--event {override!r}: expected KEY=VALUE, such as hold=0.5 or labels.fight.on=0.8")
    place = document
    for part in parts[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--event {override!r}: {part!r} holds one value, so nothing can be set inside it")
    if parts == ["background"]:
        place["background"] = [each.strip() for each in value.split(",") if each.strip()]
        return
    try:
        place[parts[-1]] = float(value)
    except ValueError:
        raise ConfigError(f"--event {override!r}: expected a number after {key.strip()}=") from None
    if parts[-1] in ("on", "off"):
        place.pop(parts[-1] == "on", None)  # what a file says without quotes


def _parts(key: str) -> List[str]:
    """A dotted key; a label may have dots of its own."""
    if not key.startswith("labels."):
        return key.split(".")
    label, dot, last = key[len("labels.") :].rpartition(".")
    return ["labels", label, last] if dot else ["labels", ""]
