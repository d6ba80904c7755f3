"""Records in one file, of which a crash or a full disk leaves whole ones alone."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Iterable, List, Optional, Tuple

from edgecvar.files import whole_file

Numbered = Tuple[int, bytes]
"""A record: its place in the order in which records came, and its bytes, which hold no line break."""

_HEAD = b"edgecvar spool 1, from %020d\n"
_LENGTH = len(_HEAD % 0)


class Journal:
    """Lines of number, checksum and record, behind a head that says from which number on they still count.

    The head is written over in place, for which a full disk has room; a line that a crash or a full disk has cut is
    passed over. `path` is made where it is missing. Not safe from several threads. Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: Optional[int] = None
        self.size = 0

    def load(self, most_bytes: int) -> Tuple[List[Numbered], int]:
        """Open it; the records that still count, of its last `most_bytes`, and how many lines were not whole."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self._descriptor).st_size
        head = os.pread(self._descriptor, _LENGTH, 0)
        known = _is_head(head)
        begin = max(_LENGTH * known, self.size - most_bytes)
        *lines, rest = os.pread(self._descriptor, most_bytes, begin).split(b"\n")
        whole = [_record(line) for line in lines[int(begin > _LENGTH) :]]  # a cut first line is beyond the bound
        broken = whole.count(None)
        records = [each for each in whole if each is not None and (not known or each[0] >= _first(head))]
        if not records:
            self.clear()
        elif broken or not known:
            self.rewrite(records)
        else:
            self._cut(self.size - len(rest))
        return records, broken + bool(rest)

    def append(self, records: Iterable[Numbered]) -> None:
        """Add records and put them on the disk, or leave the file as it was."""
        lines = b"".join(_line(*record) for record in records)
        lines = lines if self.size else _HEAD % 0 + lines
        written, descriptor = 0, self._opened
        try:
            while written < len(lines):
                written += os.pwrite(descriptor, lines[written:], self.size + written)
            os.fsync(descriptor)
        except OSError:
            self._cut(self.size)
            raise
        self.size += len(lines)

    def begin_at(self, number: int) -> None:
        """Records below this number no longer count."""
        if self.size:
            os.pwrite(self._opened, _HEAD % number, 0)

    def clear(self) -> None:
        """No record counts any more."""
        self._cut(0)

    def rewrite(self, records: Iterable[Numbered]) -> None:
        """Hold these alone, in a new file of the same name."""
        with whole_file(self._path) as draft:
            draft.write_bytes(_HEAD % 0 + b"".join(_line(*record) for record in records))
        self.close()
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        self.size = os.fstat(self._descriptor).st_size

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _cut(self, size: int) -> None:
        os.ftruncate(self._opened, size)
        self.size = size

    @property
    def _opened(self) -> int:
        assert self._descriptor is not None, "load it first"
        return self._descriptor


def _is_head(head: bytes) -> bool:
    return len(head) == _LENGTH and head[-21:-1].isdigit() and head == _HEAD % _first(head)


def _first(head: bytes) -> int:
    return int(head[-21:-1])


def _line(number: int, content: bytes) -> bytes:
    body = b"%d %s" % (number, content)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _record(line: bytes) -> Optional[Numbered]:
    """The record of a line; None where the line is not as it was written."""
    body = line[9:]
    number, _, content = body.partition(b" ")
    if line[:9] != b"%08x " % zlib.crc32(body) or not number.isdigit():
        return None
    return int(number), content
