"""Work for the processes of a pool."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Callable

from edgecvar.errors import ConfigError

_HERE = {}


def enter(unwanted: Callable[[], bool]) -> None:
    _HERE["entered"] = _HERE.get("entered", 0) + 1


def halve(number: int) -> float:
    """Dies of 0, raises ConfigError of what is below it."""
    assert _HERE["entered"]
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number < 0:
        raise ConfigError(f"{number} is below 0")
    return number / 2


def die_once(mark: str) -> str:
    """Dies of a mark that nobody has left before."""
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return mark


def where(_: int) -> str:
    """The folder that a process works in."""
    return os.getcwd()
