"""A `tensorrt` module that records every call, made of the classes, signatures and enums of one real version.

What the real version lacks raises AttributeError, a call that it would refuse TypeError. Nothing is computed: each call
gives what `answers` says, or else a value of its return type (True, 0, "", [], or a new object of the class).
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from tests.contracts.bindings import real_tensorrt
from tests.contracts.surface import Signature, Surface, recorded, reflect

RECORDED = "8.2"
PLAIN: Dict[str, Callable[[], Any]] = {
    "bool": lambda: True,
    "int": lambda: 0,
    "float": lambda: 0.0,
    "str": lambda: "",
    "None": lambda: None,
    "List": list,
    "list": list,
    "Sequence": list,
    "tuple": tuple,
    "Tuple": tuple,
    "dict": dict,
    "Dims": tuple,
}
CONVERTED: Dict[str, Callable[[Any], Any]] = {
    "int": operator.index,
    "SupportsInt": operator.index,
    "SupportsIndex": operator.index,
    "float": float,
    "SupportsFloat": float,
    "buffer": memoryview,
    "Buffer": memoryview,
    "Dims": tuple,
    "list": list,
    "tuple": tuple,
    "List": tuple,
    "Sequence": tuple,
}


def surface_of(version: str) -> Surface:
    """What TensorRT `version` offers: read from the real binding, or the recorded list of 8.2."""
    if version == RECORDED:
        return recorded(Path(__file__).with_name("tensorrt_8_2.json"))
    return reflect(real_tensorrt(version), version)


@dataclass
class Call:
    """One call: "Builder" makes one, "Builder.create_network" calls it, "Runtime.DLA_core =" sets a property."""

    name: str
    owner: Any
    arguments: Tuple[Any, ...] = ()
    named: Dict[str, Any] = field(default_factory=dict)


class FakeTensorRt:
    """`module` is the fake; `calls` what was done with it, in order; `answers` what calls and properties give.

    An answer is a value, or a function of (object, *arguments) for methods and of (object) for properties; its key is
    "Class.name". To make a call raise, let the function raise.
    """

    def __init__(self, version: str) -> None:
        self.surface = surface_of(version)
        self.calls: List[Call] = []
        self.answers: Dict[str, Any] = {}
        self.module = ModuleType("tensorrt")
        self._imitated: Dict[str, type] = {}
        self._fill()

    @property
    def names(self) -> List[str]:
        """The names of the calls, in order."""
        return [call.name for call in self.calls]

    def of(self, name: str) -> List[Call]:
        """The calls of one name, in order."""
        return [call for call in self.calls if call.name == name]

    def make(self, name: str) -> Any:
        """A new object of a class that only the library can make, such as ICudaEngine."""
        return object.__new__(getattr(self.module, name))

    def _fill(self) -> None:
        real = self.surface.module
        namespace = vars(self.module)
        for name in self.surface.classes:
            if real is not None and hasattr(real, name) and not self._needs_library(name):
                namespace[name] = getattr(real, name)
            elif real is None and self.surface.classes[name].members:
                namespace[name] = IntEnum(name, self.surface.classes[name].members)
        for name in self.surface.classes:
            if name not in namespace and (real is None or hasattr(real, name)):
                namespace[name] = self._imitate(name)
        for name, value in self.surface.constants.items():
            enum, _, member = value.partition(".") if real is None else ("", "", "")
            namespace[name] = getattr(namespace[enum], member) if enum in namespace else value
        for name, signatures in self.surface.functions.items():
            namespace[name] = self._function(name, signatures)

    def _needs_library(self, name: str) -> bool:
        """Whether only the library can make such an object: no constructor, or one that takes such objects."""
        described = self.surface.classes[name]
        if described.members or issubclass(getattr(self.surface.module, name), BaseException):
            return False
        signatures = self.surface.method(name, "__init__")
        kinds = {each.kind for signature in signatures or [] for each in signature.parameters}
        makers = {kind for kind in kinds if kind in self.surface.classes and not self.surface.classes[kind].members}
        return not signatures or signatures[0].anything or bool(makers - {name, "Dims", "Weights"})

    def _imitate(self, name: str) -> type:
        """A class with what `name` and its bases have, each call recorded."""
        body: Dict[str, Any] = {}
        settable = set()
        for described in reversed(self.surface.lineage(name)):
            for key, signatures in described.methods.items():
                if not key.startswith("__") or key in ("__init__", "__getitem__", "__len__", "__enter__", "__exit__"):
                    body[key] = self._method(name, key, signatures)
            for key, attribute in described.attributes.items():
                enum = getattr(self.module, attribute.kind, None) if self.surface.module is None else None
                if enum is not None and key in (attribute.kind, *getattr(enum, "__members__", ())):
                    body[key] = enum if key == attribute.kind else enum[key]
                elif not key.startswith("__"):
                    body[key] = self._property(name, key, attribute.kind, attribute.readable, attribute.settable)
                    settable |= {key} if attribute.settable else set()
        if name == "IHostMemory":
            body["__bytes__"] = lambda this: bytes(self.answers.get("IHostMemory.__bytes__", b"an engine"))
        made: List[type] = []

        def refuse(this: Any, key: str, value: Any) -> None:
            if type(this) is made[0] and key not in settable:
                raise AttributeError(f"{name} of TensorRT {self.surface.version} has no property {key!r} to set")
            object.__setattr__(this, key, value)

        def no_constructor(this: Any, *positional: Any, **named: Any) -> None:
            raise TypeError(f"{name}: no constructor defined")

        body.setdefault("__init__", no_constructor)
        bases = tuple(self._imitated[base] for base in self.surface.classes[name].bases if base in self._imitated)
        made.append(type(name, bases, {**body, "__setattr__": refuse}))
        self._imitated[name] = made[0]
        return made[0]

    def _method(self, owner: str, name: str, signatures: List[Signature]) -> Callable[..., Any]:
        title = owner if name == "__init__" else f"{owner}.{name}"

        def call(this: Any, *positional: Any, **named: Any) -> Any:
            chosen = self._choose(title, signatures, positional, named)
            self.calls.append(Call(title, this, positional, named))
            answer = self._answer(title, chosen.returns, this, *positional, **named)
            return None if name == "__init__" else answer

        return call

    def _function(self, name: str, signatures: List[Signature]) -> Callable[..., Any]:
        def call(*positional: Any, **named: Any) -> Any:
            chosen = self._choose(name, signatures, positional, named)
            self.calls.append(Call(name, None, positional, named))
            return self._answer(name, chosen.returns, None, *positional, **named)

        return call

    def _property(self, owner: str, name: str, kind: str, readable: bool, settable: bool) -> property:
        title = f"{owner}.{name}"

        def read(this: Any) -> Any:
            if not readable:
                raise AttributeError(f"{title} can only be set")
            values = this.__dict__
            return values[f"={name}"] if f"={name}" in values else self._answer(title, kind, this)

        def write(this: Any, value: Any) -> None:
            if not self._fits(kind, value):
                raise TypeError(f"{title}: {value!r} is no {kind}")
            self.calls.append(Call(f"{title} =", this, (value,)))
            this.__dict__[f"={name}"] = value

        return property(read, write if settable else None)

    def _choose(
        self, title: str, signatures: List[Signature], positional: Sequence[Any], named: Mapping[str, Any]
    ) -> Signature:
        """The overload that takes these arguments; raises TypeError where none does."""
        reasons = []
        for signature in signatures:
            try:
                bound = signature.bind(positional, named)
            except TypeError as error:
                reasons.append(str(error))
                continue
            wrong = [f"{each.name} is no {each.kind}" for each in bound if not self._fits(each.kind, bound[each])]
            if not wrong:
                return signature
            reasons += wrong
        raise TypeError(f"{title} of TensorRT {self.surface.version}: {'; '.join(reasons)}")

    def _fits(self, kind: str, value: Any) -> bool:
        """Whether pybind11 would take `value` for a parameter of this kind."""
        if kind in ("str", "bool"):
            return isinstance(value, {"str": str, "bool": bool}[kind])
        if kind in CONVERTED:
            if hasattr(value, "__bytes__") and CONVERTED[kind] is memoryview:
                return True
            try:
                CONVERTED[kind](value)
            except TypeError:
                return False
            return True
        known = self.surface.known(kind)
        return value is None or known is None or isinstance(value, getattr(self.module, known, object))

    def _answer(self, title: str, kind: str, this: Any, *positional: Any, **named: Any) -> Any:
        if title in self.answers:
            answer = self.answers[title]
            return answer(this, *positional, **named) if callable(answer) else answer
        if kind in PLAIN:
            return PLAIN[kind]()
        known = self.surface.known(kind)
        if known is None:
            return None
        members = self.surface.classes[known].members
        return next(iter(getattr(self.module, known).__members__.values())) if members else self.make(known)
