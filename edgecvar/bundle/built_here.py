"""Which engines this user has built on this machine: a list that lies outside of any bundle.

An engine is code, and its folder vouches for itself alone: whoever can write into a bundle can write one that fits.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

from edgecvar.errors import BundleError, reason
from edgecvar.files import state_folder

LIST = "engines-built"


def require_list() -> None:
    """Raises BundleError where nothing can be noted: known before minutes of building."""
    _append("")


def note_built(seal: str) -> None:
    """Remember the index of engines by its seal; raises BundleError where there is no place for it."""
    _append(f"{seal}\n")


def _append(text: str) -> None:
    cause = ""
    for file in _lists():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as appended:
                appended.write(text)
            return
        except OSError as error:
            cause = cause or f"{file}: cannot be written ({reason(error)})"
    raise BundleError(f"{cause}, and of a trusted bundle it is noted there which engines were built here")


def was_built_here(seal: str) -> bool:
    """Whether an index of that seal is in a list that nobody else can write."""
    for file in _lists():
        try:
            with file.open(encoding="ascii", errors="replace") as lines:
                status = os.fstat(lines.fileno())
                if status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022 and f"{seal}\n" in lines:
                    return True
        except OSError:
            continue
    return False


def _lists() -> List[Path]:
    """In the user's state, and in what systemd gives a service, which may not write into the other."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return [folder / LIST for folder in (state_folder(), *([Path(given)] if given else []))]
