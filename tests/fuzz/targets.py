"""What is fuzzed, one module a target; each is imported alone, so that its coverage is its own."""

from __future__ import annotations

import importlib
import resource
from typing import Callable, Dict, Optional, Protocol

TARGETS = {
    "container": 9000,
    "headers": 40000,
    "manifest": 25000,
    "engines": 35000,
    "recipe": 11000,
    "service": 11000,
    "flags": 60000,
    "extension": 3500,
}
"""Each with the inputs of a run that FUZZ_SEED makes the same every time: about a minute's."""

CORE = "EDGECVAR_SANITIZED_CORE"
"""Environment variable: the file of the compiled core to check in place of the installed one."""

SANITIZED = frozenset({"extension"})
"""Those that run on the module that the Makefile here builds, in a process that preloads the sanitizers' runtime."""

MOST_MIB = 500
"""That an input may take, beyond what the process holds before the first."""

FFMPEGS = frozenset({"container"})
"""Those that give their input to FFmpeg, whose own aborts and memory are said and passed over."""


class Target(Protocol):
    """`check` raises where its input shows a fault; `mutate(data, seed)`, where it is there, keeps the syntax."""

    def seeds(self) -> Dict[str, bytes]: ...

    def check(self, data: bytes) -> None: ...


def target(name: str) -> Target:
    """The module of that name."""
    found: Target = importlib.import_module(f"tests.fuzz.{name}")  # type: ignore[assignment]
    return found


def mutator(name: str) -> Optional[Callable[[bytes, int], bytes]]:
    """The module's own way to change an input; None where bytes are as good as any."""
    return getattr(target(name), "mutate", None)


def peak_mib() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
