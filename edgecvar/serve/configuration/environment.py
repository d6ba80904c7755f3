"""Values of the environment in a document's strings, which keep secrets out of files."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, Tuple

_PLACE = re.compile(r"\$(\$?)\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def fill_in(document: Any, environment: Mapping[str, str], place: str = "") -> Tuple[Any, List[str]]:
    """The document with ${NAME} in its strings replaced, and what is wrong, each with its place; $${NAME} stays.

    A value that is put in is never looked into again, and none is in what is said.
    """
    if isinstance(document, dict):
        pairs = [(key, fill_in(value, environment, _below(place, key))) for key, value in document.items()]
        return {key: value for key, (value, _) in pairs}, [each for _, (_, wrong) in pairs for each in wrong]
    if isinstance(document, list):
        items = [fill_in(value, environment, _below(place, number)) for number, value in enumerate(document)]
        return [value for value, _ in items], [each for _, wrong in items for each in wrong]
    if not isinstance(document, str):
        return document, []
    wrong: List[str] = []

    def value_of(found: re.Match[str]) -> str:
        escaped, name = found.groups()
        if escaped:
            return found.group()[1:]
        if not _NAME.fullmatch(name):
            wrong.append(f"{place}: ${{{name}}} is no name of the environment; write $${{{name}}} for the text itself")
        elif name not in environment:
            wrong.append(f"{place}: ${{{name}}} is not set in the environment; set it, or write the value here")
        return environment.get(name, found.group())

    return _PLACE.sub(value_of, document), wrong


def _below(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)
