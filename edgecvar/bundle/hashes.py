"""The hashes of a bundle's files, and what it means when one has changed."""

from __future__ import annotations

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
