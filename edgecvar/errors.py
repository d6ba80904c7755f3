"""The errors a user sees: each says what happened, where, and what to do next."""

from __future__ import annotations

import difflib
import re
from importlib.util import find_spec
from typing import Iterable


class EdgecvarError(Exception):
    """Every expected failure; the command line prints it as one line and exits with 1."""


class StreamError(EdgecvarError):
    """A source cannot be opened, or nothing in it can be decoded."""


class RefusedError(StreamError):
    """A server answers, and does not give what is asked for: another user, password or path is needed."""


class UnsupportedCodecError(StreamError):
    """The source is readable, but its codec gives no motion vectors here."""


class ConfigError(EdgecvarError):
    """A recipe, an option or a key is wrong."""


class DatasetError(EdgecvarError):
    """A folder of labelled clips is missing, empty or has an unreadable clip."""


class BundleError(EdgecvarError):
    """A bundle is missing, incomplete, tampered with, or of another schema."""


class TrustError(BundleError):
    """A bundle is not signed by a key that is trusted, or a key or a signature cannot be read."""


class CompileError(EdgecvarError):
    """A checkpoint cannot be turned into stages that agree with it."""


class DeviceError(EdgecvarError):
    """A device, its driver or TensorRT is missing, or refuses to run what it was given."""


def reason(error: BaseException, limit: int = 200) -> str:
    """What a library or the system says of a failure, on one line of at most `limit` characters."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:limit]


def import_reason(error: BaseException) -> str:
    """Why a library could not be imported, on one line, and what to preload where it found no room for its threads.

    Room for thread-local storage is set aside when a program starts; on AArch64 libgomp, loaded late, finds it taken.
    """
    text = " ".join(str(error).split())[:400]
    found = re.search(r"(\S+): cannot allocate memory in static TLS block", text)
    if found is None:
        return text
    return f"{text}; load that library first: LD_PRELOAD={found.group(1)} before the command"


def named(name: str, error: EdgecvarError) -> EdgecvarError:
    """The error, of the same class, whose text begins with the name of what it happened to."""
    return error if str(error).startswith(name) else type(error)(f"{name}: {error}")


def need_extra(extra: str, what: str, *packages: str) -> None:
    """Raises ConfigError where `what` needs packages of an extra that are not installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ConfigError(f"{what} needs {', '.join(missing)}, not installed: pip install 'edgecvar[{extra}]'")


def unknown_name(what: str, name: str, known: Iterable[str], where: str = "") -> ConfigError:
    """The error for a name that is not in a closed list, with the nearest one that is; `where` follows the name."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(choices)}"
    return ConfigError(f"unknown {what} {name!r}{where}: {hint}")
