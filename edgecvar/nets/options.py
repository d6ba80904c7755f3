"""Options of a network: read from a recipe or flags, refused by name when unknown."""

from __future__ import annotations

from typing import Any, Mapping, Sequence, Type, TypeVar, Union

from pydantic import BaseModel, ValidationError

from edgecvar.errors import ConfigError, unknown_name

Model = TypeVar("Model", bound=BaseModel)


def read_options(kind: Type[Model], values: Mapping[str, Any], what: str) -> Model:
    """`values` as a `kind`; raises ConfigError, with the nearest name for an unknown key."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(step) for step in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = _fields_at(kind, first["loc"][:-1])
            raise unknown_name(" ".join([what, "option", *place[:-1]]), place[-1], known) from error
        message = first["msg"][:1].lower() + first["msg"][1:]
        raise ConfigError(f"{what} option {'.'.join(place)}: {message}, got {first['input']!r}") from error


def _fields_at(kind: Type[BaseModel], place: Sequence[Union[int, str]]) -> Sequence[str]:
    for step in place:
        inner = kind.model_fields[str(step)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        kind = inner
    return list(kind.model_fields)
