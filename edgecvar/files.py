"""Files and folders that appear whole or not at all; what a kill left of an earlier one is cleaned up.

What is written goes to a draft beside its target, under a hidden name, and is renamed when it is complete and on the
disk. A draft is locked for as long as its process lives: one that nobody holds is a leftover.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Tuple

from edgecvar.errors import ConfigError, reason


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """An empty file beside `target`, of its suffix, that becomes `target` on success; on any failure it is gone.

    A link stays, and so does a device or a pipe, which is `target` itself. Raises OSError, which names `target`, where
    it cannot be made, written to the disk or renamed.
    """
    if takes_all(target):
        yield target
        return
    target = Path(os.path.realpath(target)) if target.is_symlink() else target
    with named(target):
        for leftover in _leftovers(target, f"draft{target.suffix}"):
            leftover.unlink()
        draft, descriptor = _locked_file(target)
        try:
            yield draft
            os.fsync(descriptor)
            os.replace(draft, target)
        finally:
            os.close(descriptor)
            if draft.exists():
                draft.unlink()


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def state_folder() -> Path:
    """What a user's programs keep between runs, this one's part of it: $XDG_STATE_HOME/edgecvar."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state) / "edgecvar"


def takes_all(target: Path) -> bool:
    """Whether it is a device or a pipe: there before and after, and nothing could take its place."""
    return target.exists() and not target.is_file() and not target.is_dir()


@contextmanager
def named(target: Path) -> Iterator[None]:
    """What the system says of a file without its name, or of a draft, it says of `target`."""
    try:
        yield
    except OSError as error:
        parts = () if error.filename is None else Path(os.fsdecode(error.filename)).parts
        nameless = not parts or any(part.startswith(f".{target.name}.") for part in parts)
        if error.errno is None or not nameless:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A fresh folder beside `target` that becomes `target` on success; on any failure what was there is there again.

    That holds for the folder that a killed process was about to replace, too. Of a link the link alone is replaced:
    what it leads to may be in use by another name. Raises OSError as `whole_file` does.
    """
    with named(target), _whole_folder(target) as draft:
        yield draft


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    _restore(target)
    for leftover in (*_leftovers(target, "draft"), *_leftovers(target, "old")):
        _remove(leftover)
    draft = _hidden(target, "draft")
    draft.mkdir()
    old: Optional[Path] = None
    locks = [_lock(draft)]
    try:
        yield draft
        _flush(draft)
        if os.path.lexists(target):
            if target.exists():
                locks.append(_lock(target))
            old = _hidden(target, "old")
            target.rename(old)
        draft.rename(target)
    except BaseException:
        if old is not None and os.path.lexists(old) and not os.path.lexists(target):
            old.rename(target)
        shutil.rmtree(draft, ignore_errors=True)
        raise
    finally:
        if old is not None:
            _remove(old)
        for descriptor in locks:
            os.close(descriptor)


@contextmanager
def draft_folder(parent: Path) -> Iterator[Path]:
    """A hidden folder in `parent`, gone at the end unless `publish` has given it a name. Raises OSError."""
    parent.mkdir(parents=True, exist_ok=True)
    for leftover in _leftovers(parent / "new", "draft"):
        shutil.rmtree(leftover, ignore_errors=True)
    draft = _hidden(parent / "new", "draft")
    draft.mkdir()
    lock = _lock(draft)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(lock)


def publish(draft: Path, targets: Iterable[Path]) -> Path:
    """Give a folder the first of the names that nobody has; raises FileExistsError where all are taken, and OSError."""
    _flush(draft)
    for target in targets:
        try:
            draft.rename(target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
        else:
            return target
    raise FileExistsError(errno.EEXIST, "every name is taken", str(draft.parent))


@contextmanager
def only_user(folder: Path) -> Iterator[None]:
    """Holds a folder for as long as this lasts; raises BlockingIOError where another process, or this one, does."""
    descriptor = _lock(folder, fcntl.LOCK_NB)
    try:
        yield
    finally:
        os.close(descriptor)


def check_writable(folder: Path, remedy: str = "name another folder") -> None:
    """Raises ConfigError where nothing can be written into a folder, or to where it would be made."""
    place = folder.absolute()
    try:
        while not place.exists():
            place = place.parent
        tempfile.TemporaryFile(dir=str(place)).close()
    except OSError as error:
        raise ConfigError(f"{folder}: nothing can be written there ({reason(error)}); {remedy}") from error


def _hidden(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.{kind}")


def _locked_file(target: Path) -> Tuple[Path, int]:
    while True:
        draft = _hidden(target, f"draft{target.suffix}")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if draft.exists():  # nobody took it for a leftover before it was locked
            return draft, descriptor
        os.close(descriptor)


def _lock(folder: Path, how: int = 0) -> int:
    """Open a folder and hold it; with LOCK_NB raises BlockingIOError where another does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        pass  # a file system that locks no folders, such as NFS: what is left there stays
    return descriptor


def _leftovers(target: Path, kind: str) -> List[Path]:
    """Drafts of `target`, or what it was to replace, whose process has ended."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.{re.escape(kind)}")
    if not target.parent.is_dir():
        return []
    with os.scandir(target.parent) as entries:
        candidates = [Path(entry.path) for entry in entries if name.fullmatch(entry.name)]
    return [each for each in candidates if _is_free(each)]


def _is_free(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _restore(target: Path) -> None:
    """Bring back what a process killed between two renames had moved away."""
    if not target.exists():
        for old in _leftovers(target, "old")[:1]:
            old.rename(target)


def _remove(folder: Path) -> None:
    """A folder, or a link to one; what cannot be removed stays."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Put files on the disk: after a power cut, a folder that has its name would have empty files otherwise."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())
