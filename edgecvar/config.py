"""What is wrong with a configuration, be it flags or a document, in one line."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Type, TypeVar, get_args, get_origin

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
    return mistakes(error, model)[0]


def mistakes(
    error: ValidationError, model: Type[BaseModel], shown: Optional[Callable[[Sequence[str], Any], str]] = None
) -> List[str]:
    """All that is wrong, each on one line; `shown` says how a value at a place is shown, as Python has it unless given;
    what it has no words for is not.

    Keys of a mapping that may be called anything are places like the others.
    """
    return [_told(each, model, shown or (lambda place, value: shortened(value))) for each in error.errors()]


def _told(one: Any, model: Type[BaseModel], shown: Callable[[Sequence[str], Any], str]) -> str:
    place = [str(part) for part in one["loc"]]
    if one["type"] == "extra_forbidden":
        inside = f" in {'.'.join(place[:-1])!r}" if place[:-1] else ""
        return str(unknown_name("key", place[-1], _keys_at(model, place[:-1]), inside))
    if one["type"] == "missing":
        return f"{'.'.join(place)!r} is missing"
    message = one["msg"].replace("Value error, ", "")
    if not place:  # a rule on the model as a whole says itself what it got
        return str(message)
    got = shown(place, one["input"])
    return f"{'.'.join(place)}: {message}" + (f", got {got}" if got else "")


def shortened(value: Any) -> str:
    """How Python writes a value, on `SHOWN` characters at most."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _keys_at(model: Type[BaseModel], place: Sequence[str]) -> Sequence[str]:
    named = False
    for part in place:
        if part.isdigit() or named:
            named = False
            continue
        field = _by_key(model).get(part)
        annotation = None if field is None else field.annotation
        inner = _model_in(annotation)
        if inner is None:
            break
        origin: Any = get_origin(annotation)
        model, named = inner, origin is dict
    return list(_by_key(model))


def _by_key(model: Type[BaseModel]) -> Dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> Optional[Type[BaseModel]]:
    """The model that an annotation such as Optional[Model] or List[Model] holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for inner in map(_model_in, get_args(annotation)) if inner is not None), None)
