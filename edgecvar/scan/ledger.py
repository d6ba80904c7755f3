"""What is finished of a scan, in one file that a kill leaves whole."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from edgecvar.errors import ConfigError, reason
from edgecvar.scan.table import shown_name
from edgecvar.scan.values import Counts, Listed, Piece, PieceSeen, Seen

SCHEMA = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS settings (document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sources (
    name BLOB PRIMARY KEY, stamp TEXT NOT NULL, failure TEXT NOT NULL, counts TEXT NOT NULL, rows BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pieces (
    name BLOB, piece TEXT, stamp TEXT NOT NULL, counts TEXT NOT NULL, entered TEXT NOT NULL, gone TEXT NOT NULL,
    rows BLOB NOT NULL, PRIMARY KEY (name, piece));
"""


class Ledger:
    """Finished sources, and finished pieces of long ones, by name and stamp; a context manager that holds it alone.

    Raises ConfigError where it cannot be written, is held by another scan, or is of another with other `settings`.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self._settings = settings

    def __enter__(self) -> Ledger:
        with self._told():
            self._file = sqlite3.connect(str(self.path), timeout=0.2, isolation_level=None)
            try:
                # Held until it is closed; what is committed is there after a kill, and the file is whole after any end.
                for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
                    self._file.execute(f"PRAGMA {pragma}")
                self._file.execute("BEGIN EXCLUSIVE")
                self._file.execute("COMMIT")
                self._file.executescript(_TABLES)
                self._check_settings()
            except BaseException:
                self._file.close()
                raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def remove(self) -> None:
        """Closes it, and takes it away."""
        self._file.close()
        self._unlink()

    def discard(self) -> None:
        """Takes away what is there of it, whatever it is; raises ConfigError where another scan is at work on it."""
        self._check_free()
        self._unlink()

    def _unlink(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            path = self.path.with_name(self.path.name + suffix)
            if path.exists():
                path.unlink()

    def _check_free(self) -> None:
        if not self.path.exists():
            return
        with self._told():
            file = sqlite3.connect(str(self.path), timeout=0.2, isolation_level=None)
            try:
                file.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # no ledger, which nobody holds
                pass
            finally:
                file.close()

    def state(self, source: Listed) -> Optional[bool]:
        """Whether a source was run to its end; None where it was not run, or has changed since."""
        with self._told():
            found = self._file.execute("SELECT stamp, failure FROM sources WHERE name = ?", (_key(source),)).fetchone()
        return None if found is None or found[0] != source.stamp else not found[1]

    def add(self, source: Listed, seen: Seen) -> None:
        """A source is finished, and pieces of it need not be kept; one that failed keeps the longer of its tries."""
        before = self.seen(source) if seen.failure else None
        if before is not None and before.counts.decisions > seen.counts.decisions:
            seen = replace(before, failure=seen.failure)
        row = (_key(source), source.stamp, shown_name(seen.failure), _written(seen.counts), seen.rows)
        with self._told():
            self._file.execute("BEGIN")
            self._file.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?)", row)
            self._file.execute("DELETE FROM pieces WHERE name = ?", (_key(source),))
            self._file.execute("COMMIT")

    def seen(self, source: Listed) -> Optional[Seen]:
        """What is finished of a source."""
        query = "SELECT rows, counts, failure FROM sources WHERE name = ? AND stamp = ?"
        with self._told():
            found = self._file.execute(query, (_key(source), source.stamp)).fetchone()
        return None if found is None else Seen(found[0], _read(found[1]), found[2])

    def add_piece(self, source: Listed, piece: Piece, seen: PieceSeen) -> None:
        """A piece of a source is finished."""
        row = (_key(source), piece.key, source.stamp, _written(seen.counts), seen.entered, seen.left, seen.rows)
        with self._told():
            self._file.execute("INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def piece(self, source: Listed, piece: Piece) -> Optional[PieceSeen]:
        """What is finished of a piece."""
        query = "SELECT rows, counts, entered, gone FROM pieces WHERE name = ? AND piece = ? AND stamp = ?"
        with self._told():
            found = self._file.execute(query, (_key(source), piece.key, source.stamp)).fetchone()
        return None if found is None else PieceSeen(found[0], _read(found[1]), found[2], found[3])

    def drop_pieces(self, source: Listed) -> None:
        """None of a source's pieces holds."""
        with self._told():
            self._file.execute("DELETE FROM pieces WHERE name = ?", (_key(source),))

    def _check_settings(self) -> None:
        mine = {"ledger": SCHEMA, **self._settings}
        found = self._file.execute("SELECT document FROM settings").fetchone()
        if found is None:
            self._file.execute("INSERT INTO settings VALUES (?)", (json.dumps(mine),))
            return
        differs = difference(json.loads(found[0]), mine)
        if differs:
            raise ConfigError(
                f"{self.path}: the scan that was begun there has {differs}; go on with the same settings, name "
                "another -o, or begin anew with --overwrite"
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            why = "another scan is at work on it" if "locked" in str(error) else reason(error)
            raise ConfigError(
                f"{self.path}: the ledger of what is finished cannot be used ({why}); make room, or name another -o"
            ) from error
        except ValueError as error:
            raise ConfigError(f"{self.path}: not a ledger of a scan ({reason(error)}); remove it") from error


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first setting that is another, in words; empty where all are the same."""
    for key in (*now, *before):
        if before.get(key) != now.get(key):
            mine, other = _apart(before.get(key), now.get(key))
            if key == "sources" and isinstance(mine, str):
                return "other sources"  # of a table there is their hash alone
            return f"{key} {_short(mine)}, not {_short(other)}"
    return ""


def _apart(before: Any, now: Any) -> Tuple[Any, Any]:
    """Of two long lists, what only one has, so that it is seen."""
    if not (isinstance(before, list) and isinstance(now, list)):
        return before, now
    return [each for each in before if each not in now] or before, [each for each in now if each not in before] or now


def _short(value: Any) -> str:
    text = "unset" if value is None else json.dumps(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _key(source: Listed) -> bytes:
    name = source.name.encode("utf-8", "surrogateescape")
    return hashlib.sha256(name).digest() if b"://" in name else name  # a URL may hold a password


def _written(counts: Counts) -> str:
    return json.dumps(counts.document())


def _read(text: str) -> Counts:
    document: Dict[str, Any] = json.loads(text)
    return Counts(**document)
