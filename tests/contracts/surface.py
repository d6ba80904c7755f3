"""What a compiled library offers Python, as plain data: read from its docstrings, or from a recorded list."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple


@dataclass(frozen=True)
class Parameter:
    """One parameter; `kind` is the last word of its type ("nvinfer1::BuilderFlag" is "BuilderFlag")."""

    name: str
    kind: str
    required: bool = True


@dataclass(frozen=True)
class Signature:
    """One way to call a function, without `self`; `anything` where the library does not tell; `static` has no self."""

    parameters: Tuple[Parameter, ...] = ()
    returns: str = "object"
    anything: bool = False
    static: bool = False

    def bind(self, positional: Sequence[Any], named: Mapping[str, Any]) -> Dict[Parameter, Any]:
        """Which parameter gets which argument; raises TypeError as the call would."""
        if self.anything:
            return {}
        if len(positional) > len(self.parameters):
            raise TypeError(f"{len(positional)} arguments, takes {len(self.parameters)}")
        bound = dict(zip(self.parameters, positional))
        # "arg0" is what a binding calls a parameter that has no name.
        by_name = {each.name: each for each in self.parameters if not re.fullmatch(r"arg\d+", each.name)}
        for name, value in named.items():
            if name not in by_name or by_name[name] in bound:
                raise TypeError(f"no free parameter {name!r}")
            bound[by_name[name]] = value
        absent = [parameter.name for parameter in self.parameters if parameter.required and parameter not in bound]
        if absent:
            raise TypeError(f"missing {', '.join(absent)}")
        return bound


@dataclass(frozen=True)
class Attribute:
    """A property: its kind, and whether it can be read and set."""

    kind: str
    readable: bool = True
    settable: bool = False


@dataclass
class Class:
    """A class: its methods (each with its overloads), properties, enum members and bases."""

    name: str
    methods: Dict[str, List[Signature]] = field(default_factory=dict)
    attributes: Dict[str, Attribute] = field(default_factory=dict)
    members: Dict[str, int] = field(default_factory=dict)
    bases: List[str] = field(default_factory=list)


@dataclass
class Surface:
    """A module: its classes, functions and constants, and the real module where there is one."""

    version: str
    classes: Dict[str, Class] = field(default_factory=dict)
    functions: Dict[str, List[Signature]] = field(default_factory=dict)
    constants: Dict[str, Any] = field(default_factory=dict)
    module: Optional[ModuleType] = None

    def known(self, kind: str) -> Optional[str]:
        """The class that a type means; the binding calls some interfaces without their leading I."""
        return next((name for name in (kind, kind[1:]) if name in self.classes), None)

    def lineage(self, name: str) -> List[Class]:
        """A class and its bases, nearest first."""
        own = self.classes[name]
        return [own, *(each for base in own.bases if base in self.classes for each in self.lineage(base))]

    def method(self, owner: str, name: str) -> Optional[List[Signature]]:
        return next((each.methods[name] for each in self.lineage(owner) if name in each.methods), None)

    def attribute(self, owner: str, name: str) -> Optional[Attribute]:
        return next((each.attributes[name] for each in self.lineage(owner) if name in each.attributes), None)

    def member(self, owner: str, name: str) -> Optional[int]:
        return next((each.members[name] for each in self.lineage(owner) if name in each.members), None)


def reflect(module: ModuleType, version: str) -> Surface:
    """Read a pybind11 module."""
    surface = Surface(version, module=module)
    for name, value in vars(module).items():
        if isinstance(value, type):
            surface.classes[name] = _reflect_class(name, value)
            for inner, nested in vars(value).items():
                if isinstance(nested, type) and hasattr(nested, "__members__") and inner not in vars(module):
                    surface.classes.setdefault(inner, _reflect_class(inner, nested))
        elif callable(value):
            surface.functions[name] = parse_signatures(value.__doc__ or "", bound=False)
        elif not name.startswith("_") or name == "__version__":
            surface.constants[name] = value
    return surface


def recorded(path: Path) -> Surface:
    """Read a recorded list: signatures and properties as text, in the form of pybind11's docstrings.

    `classes` maps a name to `bases`, `methods` (list of signatures), `properties` (name to type, "=" before it where
    it can be set) and `members`; `functions` is a list of signatures; `constants` maps names to enum members.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    surface = Surface(document["version"], constants=dict(document.get("constants", {})))
    surface.constants["__version__"] = document.get("release", document["version"])
    for name, entry in document["classes"].items():
        methods = _by_name(entry.get("methods", []), methods=True)
        attributes = {
            key: Attribute(_word(text.lstrip("=")), settable=text.startswith("="))
            for key, text in entry.get("properties", {}).items()
        }
        members = entry.get("members", {})
        surface.classes[name] = Class(name, methods, attributes, members, entry.get("bases", []))
    surface.functions = _by_name(document.get("functions", []), methods=False)
    return surface


def _by_name(texts: List[str], methods: bool) -> Dict[str, List[Signature]]:
    """Signatures by the name before them; a method without `self` is static."""
    table: Dict[str, List[Signature]] = {}
    for text in texts:
        bound = methods and "(self" in text
        parsed = [replace(each, static=methods and not bound) for each in parse_signatures(text, bound)]
        table.setdefault(text.split("(")[0], []).extend(parsed)
    return table


def _reflect_class(name: str, value: type) -> Class:
    described = Class(name, bases=[base.__name__ for base in value.__bases__])
    described.members = {key: int(member) for key, member in getattr(value, "__members__", {}).items()}
    for key, attribute in vars(value).items():
        if key in described.members or (getattr(attribute, "__doc__", "") or "").startswith("Initialize self"):
            continue
        if isinstance(attribute, property):
            described.attributes[key] = _reflect_property(attribute)
        elif isinstance(attribute, type):
            described.attributes[key] = Attribute(attribute.__name__)
        elif callable(attribute) and not isinstance(attribute, Enum):
            described.methods[key] = parse_signatures(getattr(attribute, "__doc__", "") or "", bound=True)
        elif not key.startswith("__"):
            described.attributes[key] = Attribute(type(attribute).__name__)
    return described


def _reflect_property(value: property) -> Attribute:
    read = parse_signatures(getattr(value.fget, "__doc__", "") or "", bound=True)
    written = parse_signatures(getattr(value.fset, "__doc__", "") or "", bound=True)
    kind = read[0].returns if value.fget else written[0].parameters[0].kind if written[0].parameters else "object"
    return Attribute(kind, value.fget is not None, value.fset is not None)


def parse_signatures(docstring: str, bound: bool) -> List[Signature]:
    """The signatures that pybind11 writes at the head of a docstring; `bound` leaves the first parameter out.

    Python functions and whatever else has no such head may be called with anything.
    """
    heads = [re.sub(r"^\d+\. ", "", line) for line in docstring.splitlines() if re.match(r"\d+\. \w+\(.*\) -> ", line)]
    if not heads:
        heads = [line for line in docstring.strip().splitlines()[:1] if re.match(r"\w*\(.*\) -> ", line)]
    return [_parse(head, bound) for head in heads] or [Signature(anything=True)]


def _parse(head: str, bound: bool) -> Signature:
    inside, _, returns = head[head.index("(") + 1 :].rpartition(") -> ")
    texts = _split(inside)[1 if bound else 0 :]
    if any(text.startswith("*") and text != "*" for text in texts):
        return Signature(returns=_word(returns), anything=True)
    return Signature(tuple(_parameter(text) for text in texts if text not in ("*", "/")), _word(returns))


def _parameter(text: str) -> Parameter:
    name, _, rest = text.partition(":")
    kind, equals, _ = rest.partition(" = ")
    return Parameter(name.strip(), _word(kind), not equals)


def _word(kind: str) -> str:
    """The last word of a type, its brackets aside: "collections.abc.Sequence[typing.SupportsInt]" is "Sequence"."""
    optional = re.fullmatch(r"(?:typing\.)?Optional\[(.*)\]|(.*) \| None", kind.strip())
    plain = next(filter(None, optional.groups())) if optional else kind
    return re.split(r"[.:]", plain.strip().split("[")[0])[-1].strip() or "object"


def _split(text: str) -> List[str]:
    """Split at the commas outside brackets and quotes."""
    parts, depth, quoted = [""], 0, ""
    for letter in text:
        if quoted or letter in "'\"":
            quoted = "" if letter == quoted else quoted or letter
        elif letter in "([{<":
            depth += 1
        elif letter in ")]}>":
            depth -= 1
        if letter == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
