"""How a bundle's files are hashed and its folders written: whole, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional

from edgecvar.errors import BundleError


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def check_file(root: Path, name: str, expected: str) -> None:
    """The file `name` is inside `root` and hashes to `expected`; raises BundleError."""
    file = root / name
    inside = root.resolve() in file.resolve().parents
    if Path(name).is_absolute() or ".." in Path(name).parts or not inside:
        raise BundleError(f"{root}: file name {name!r} leaves the bundle")
    if not file.is_file():
        raise BundleError(f"{root}: {name} is missing; copy the whole folder again")
    check_hash(file, sha256_of(file), expected)


def check_hash(file: Path, got: str, expected: str) -> None:
    """Raises BundleError where a file's hash is not the one it was written with."""
    if got != expected:
        raise BundleError(f"{file}: changed since it was compiled (sha256 {got[:12]}, expected {expected[:12]})")


@contextmanager
def writing_folder(target: Path) -> Iterator[Path]:
    """A fresh folder beside `target` that becomes `target` on success; on any failure what was there is there again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    os.chmod(draft, 0o755)
    old: Optional[Path] = None
    try:
        yield draft
        _flush(draft)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent)) / target.name
            target.rename(old)
        draft.rename(target)
    except BaseException:
        if old is not None and old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(draft, ignore_errors=True)
        raise
    finally:
        if old is not None:
            shutil.rmtree(old.parent, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Put files on the disk: after a power cut, a folder that has its name would have empty files otherwise."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())
