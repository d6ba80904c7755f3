"""What becomes of work on a source that fails: its reason, as text that may be shown."""

from __future__ import annotations

from edgecvar.errors import EdgecvarError, named, reason
from edgecvar.scan.pool import TRIES
from edgecvar.stream.sources.passwords import without_passwords


class Unwanted(EdgecvarError):
    """Whoever asked for a job has left."""


def failure_of(name: str, error: Exception) -> str:
    """What is wrong with a source, after its name; no password is in either. Unwanted is raised again."""
    if isinstance(error, Unwanted):
        raise error
    if not isinstance(error, EdgecvarError):
        error = EdgecvarError(f"cannot be read ({type(error).__name__}: {reason(error)})")
    return without_passwords(str(named(name, error)), name)


def death_of(name: str) -> str:
    """What is said of a source whose process died as often as it was tried; `name` without its password."""
    return f"{name}: the process that read it died {TRIES} times, as decoders do of some files, or for memory"
