"""The errors a user sees: each says what happened, where, and what to do next."""

from __future__ import annotations

import difflib
from typing import Iterable


class EdgecvarError(Exception):
    """Every expected failure; the command line prints it as one line and exits with 1."""


class StreamError(EdgecvarError):
    """A source cannot be opened, or nothing in it can be decoded."""


class UnsupportedCodecError(StreamError):
    """The source is readable, but its codec gives no motion vectors here."""


class ConfigError(EdgecvarError):
    """A recipe, an option or a key is wrong."""


class DatasetError(EdgecvarError):
    """A folder of labelled clips is missing, empty or has an unreadable clip."""


class BundleError(EdgecvarError):
    """A bundle is missing, incomplete, tampered with, or of another schema."""


class CompileError(EdgecvarError):
    """A checkpoint cannot be turned into stages that agree with it."""


class DeviceError(EdgecvarError):
    """A device, its driver or TensorRT is missing, or refuses to run what it was given."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that is not in a closed list, with the nearest one that is."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(choices)}"
    return ConfigError(f"unknown {what} {name!r}: {hint}")
