"""The hashes of a bundle's files, and of its manifest itself: what it means when one has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgecvar.errors import BundleError, reason
from edgecvar.files import sha256_of


def check_file(root: Path, name: str, expected: str) -> None:
    """The file `name` is inside `root` and hashes to `expected`; raises BundleError."""
    file = root / name
    try:
        inside = root.resolve() in file.resolve().parents
        if Path(name).is_absolute() or ".." in Path(name).parts or not inside:
            raise BundleError(f"{root}: file name {name!r} leaves the bundle")
        if not file.is_file():
            raise BundleError(f"{root}: {name} is missing; copy the whole folder again")
        got = sha256_of(file)
    except (OSError, ValueError, RuntimeError) as error:  # of a name too long, one with a NUL, links in a circle
        raise BundleError(f"{root}: {name[:80]!r} cannot be read ({reason(error)})") from error
    check_hash(file, got, expected)


def check_hash(file: Path, got: str, expected: str) -> None:
    """Raises BundleError where a file's hash is not the one it was written with."""
    if got != expected:
        raise BundleError(f"{file}: changed since it was compiled (sha256 {got[:12]}, expected {expected[:12]})")


def sealed(text: str) -> str:
    """The text of a manifest whose seal is empty, with its seal."""
    return _with_seal(text, "", hashlib.sha256(text.encode()).hexdigest())


def bears_seal(text: str, seal: str) -> bool:
    """Whether the text of a manifest has that seal, and it is the text's own."""
    return bool(seal) and sealed(_with_seal(text, seal, "")) == text and f'"seal": "{seal}"' in text


def _with_seal(text: str, old: str, new: str) -> str:
    # In the text itself, since another version of pydantic may write numbers another way.
    before, seal, after = text.rpartition(f'"seal": "{old}"')
    return f'{before}"seal": "{new}"{after}' if seal else text
