"""The SQLite file of the log: its tables, its bounds."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Mapping, Optional

from edgecvar.errors import ConfigError, reason

APPLICATION = 0x65637672
"""Says of an SQLite file that it is a log of ours."""
BUSY = 0.5
"""Seconds that one attempt waits for whoever has locked the database."""
PRUNE_ROWS, PRUNE_SECONDS = 200, 3600.0
"""Rows, or seconds, after which is looked whether there are too many."""
_TABLES = """
create table if not exists runs (
    id text primary key, source text not null, begun_at text not null, ended_at text,
    pictures integer, sampled integer, decisions integer, skipped integer, damaged integer, breaks integer,
    summary text
);
create table if not exists events (
    id text primary key, run text not null, source text not null, label text not null,
    start_seconds real not null, end_seconds real, peak real not null, peak_seconds real not null,
    told_at text not null
);
create table if not exists decisions (
    run text not null, source text not null, pts_seconds real not null, display_index integer not null,
    label text not null, probability real not null, opens text not null, told_at text not null,
    primary key (run, display_index, pts_seconds)
);
create index if not exists events_told_at on events (told_at);
create index if not exists decisions_told_at on decisions (told_at);
create index if not exists runs_begun_at on runs (begun_at);
"""
_TIMES = {"events": "told_at", "decisions": "told_at", "runs": "begun_at"}


class Unwritten(Exception):
    """A row could not be written now."""


@dataclass(frozen=True)
class Limits:
    """Beyond which the oldest rows go: bytes of the file, and days."""

    size: int = 256 << 20
    days: float = 365.0


class Database:
    """Opened when the first row comes, and again after a failure; of one thread, but for `interrupt`."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._connection: Optional[sqlite3.Connection] = None
        self._rows, self._pruned_at = 0, time.monotonic()

    def check(self) -> None:
        """Raises ConfigError where the file cannot be a log; one that is locked, or not there yet, can."""
        path = self._path
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise ConfigError(f"sqlite:{path}: not a file in an existing folder; make the folder first")
        if not path.exists() or not path.stat().st_size:
            return
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=BUSY, uri=True)) as database:
                known = database.execute("pragma application_id").fetchone()[0] == APPLICATION
                filled = database.execute("select count(*) from sqlite_master").fetchone()[0] > 0
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                return
            raise ConfigError(f"sqlite:{path}: cannot be opened ({reason(error)}); check its permissions") from error
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"sqlite:{path}: no SQLite database ({reason(error)}); name another file") from error
        if filled and not known:
            raise ConfigError(f"sqlite:{path}: a database of something else; name another file")

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        """Write a row, in place of the one that has its key; raises Unwritten."""
        if table not in _TIMES or not all(map(str.isidentifier, row)):
            raise ValueError(f"no row of a log: {table}")
        names = ", ".join(row)
        values = ", ".join("?" * len(row))
        try:
            self._opened().execute(f"insert or replace into {table} ({names}) values ({values})", tuple(row.values()))
        except sqlite3.Error as error:
            self.close()
            raise Unwritten(reason(error)) from error
        self._rows += 1

    def prune_in_time(self) -> None:
        """Let the oldest rows go where it is time to look and there are too many."""
        late = time.monotonic() - self._pruned_at > PRUNE_SECONDS
        if self._connection is not None and (self._rows >= PRUNE_ROWS or late):
            self._rows, self._pruned_at = 0, time.monotonic()
            try:
                self._prune(self._connection)
            except sqlite3.Error:  # locked, or full: next time
                self.close()

    def interrupt(self) -> None:
        """End what is under way; from any thread."""
        connection = self._connection
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.interrupt()

    def close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            path, autocommit = str(self._path), None
            connection = sqlite3.connect(path, BUSY, isolation_level=autocommit, check_same_thread=False)
            self._connection = connection
            connection.execute("pragma auto_vacuum = incremental")  # before there is a table
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.execute(f"pragma journal_size_limit = {1 << 20}")
            connection.execute(f"pragma application_id = {APPLICATION}")
            connection.executescript(_TABLES)
        return self._connection

    def _prune(self, database: sqlite3.Connection) -> None:
        oldest = datetime.now(timezone.utc) - timedelta(days=self._limits.days)
        for table, column in _TIMES.items():
            database.execute(f"delete from {table} where {column} < ?", (oldest.isoformat(),))
        while self._size(database) > self._limits.size:
            if not any(self._thin(database, table, column) for table, column in _TIMES.items()):
                break
        database.execute("pragma incremental_vacuum").fetchall()
        database.execute("pragma wal_checkpoint(truncate)").fetchall()

    def _thin(self, database: sqlite3.Connection, table: str, column: str) -> int:
        """Delete the older tenth of a table's rows, of more than one; how many."""
        rows = database.execute(f"select count(*) from {table}").fetchone()[0]
        oldest = f"select rowid from {table} order by {column} limit {max(rows // 10, int(rows > 1))}"
        return database.execute(f"delete from {table} where rowid in ({oldest})").rowcount

    @staticmethod
    def _size(database: sqlite3.Connection) -> int:
        """Bytes of the pages that hold something."""
        pages, free, size = (
            database.execute(f"pragma {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)
