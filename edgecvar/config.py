"""What is wrong with a configuration, be it flags or a document, in one line."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence, Type, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from edgecvar.errors import ConfigError, unknown_name

M = TypeVar("M", bound=BaseModel)
SHOWN = 120
"""Characters of a wrong value that an error shows."""


def from_flags(model: Type[M], flags: Mapping[str, Any]) -> M:
    """A verb's configuration from its flags; raises ConfigError that names the flag."""
    try:
        return model.model_validate(dict(flags))
    except ValidationError as error:
        raise ConfigError(f"--{mistake(error, model)}") from error


def mistake(error: ValidationError, model: Type[BaseModel]) -> str:
    """The first thing that is wrong in what was to be a `model`, on one line; of an unknown key the nearest known."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        inside = f" in {'.'.join(place[:-1])!r}" if place[:-1] else ""
        return str(unknown_name("key", place[-1], _keys_at(model, place[:-1]), inside))
    if first["type"] == "missing":
        return f"{'.'.join(place)!r} is missing"
    message = first["msg"].replace("Value error, ", "")
    if not place:  # a rule on the model as a whole says itself what it got
        return message
    return f"{'.'.join(place)}: {message}, got {shortened(first['input'])}"


def shortened(value: Any) -> str:
    """How Python writes a value, on `SHOWN` characters at most."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _keys_at(model: Type[BaseModel], place: Sequence[str]) -> Sequence[str]:
    for part in place:
        if part.isdigit():
            continue
        field = _by_key(model).get(part)
        inner = None if field is None else _model_in(field.annotation)
        if inner is None:
            break
        model = inner
    return list(_by_key(model))


def _by_key(model: Type[BaseModel]) -> Dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> Optional[Type[BaseModel]]:
    """The model that an annotation such as Optional[Model] or List[Model] holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for inner in map(_model_in, get_args(annotation)) if inner is not None), None)
