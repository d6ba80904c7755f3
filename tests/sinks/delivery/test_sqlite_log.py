"""The log has events, changes of label and runs; nothing that happens to its file ends a run."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from edgecvar.errors import ConfigError
from edgecvar.sinks.delivery import database
from edgecvar.sinks.delivery.database import Database, Limits
from tests.deliveries import HOSTILE, decision, deliveries, event, soon, summary
from tests.full_disk import no_room


def rows(file, query):
    with closing(sqlite3.connect(str(file))) as log:
        return log.execute(query).fetchall()


def counts(made):
    (each,) = made.counts.values()
    return each


@pytest.fixture
def file(tmp_path):
    return tmp_path / "log.db"


def test_it_holds_events_changes_of_label_and_runs(tmp_path, file):
    with deliveries(tmp_path, f"sqlite:{file}") as made, made.for_source("cam") as sink:
        for index, label in enumerate(["left", "left", "right", "right", "left"]):
            sink.decision(decision(index, label))
        sink.decision(decision(9, "left", opens="cut"))
        sink.event(event(0))
        sink.event(event(0, ended=True))
        sink.event(event(1, "right"))
        sink.finish(summary(breaks={"cut": 2}))
    assert counts(made).delivered == 9 and counts(made).waiting == 0
    assert rows(file, "select source, display_index, label, opens from decisions order by display_index") == [
        ("cam", 0, "left", ""),
        ("cam", 2, "right", ""),
        ("cam", 4, "left", ""),
        ("cam", 9, "left", "cut"),
    ]
    assert rows(file, "select source, label, start_seconds, end_seconds, peak from events order by start_seconds") == [
        ("cam", "left", 0.0, 0.5, 0.9),
        ("cam", "right", 1.0, None, 0.9),
    ]
    ((source, pictures, skipped, breaks, begun, ended),) = rows(
        file, "select source, pictures, skipped, breaks, begun_at, ended_at from runs"
    )
    assert (source, pictures, skipped, breaks) == ("cam", 9, 1, 2) and begun <= ended
    assert rows(file, "select count(distinct run) from (select run from events union select run from decisions)") == [
        (1,)
    ]
    assert rows(file, "pragma journal_mode") == [("wal",)]


def test_a_run_that_was_killed_has_a_beginning_and_no_end(tmp_path, file):
    with deliveries(tmp_path, f"sqlite:{file}") as made, made.for_source("cam"):
        soon(lambda: counts(made).delivered == 1)
        assert rows(file, "select source, ended_at, pictures from runs") == [("cam", None, None)]


def test_a_locked_database_is_waited_for(tmp_path, file):
    with deliveries(tmp_path, f"sqlite:{file}") as made, made.for_source("cam") as sink:
        soon(lambda: counts(made).delivered == 1)
        with closing(sqlite3.connect(str(file), isolation_level=None)) as other:
            other.execute("begin exclusive")
            sink.event(event(0))
            soon(lambda: "locked" in counts(made).trouble)
            other.execute("commit")
        soon(lambda: counts(made).delivered == 2)
    assert rows(file, "select count(*) from events") == [(1,)]


def test_one_that_is_locked_to_the_end_gets_it_from_the_next_run(tmp_path, file):
    with deliveries(tmp_path, f"sqlite:{file}") as made, made.for_source("cam"):
        soon(lambda: counts(made).delivered == 1)
    with closing(sqlite3.connect(str(file), isolation_level=None)) as other:
        other.execute("begin exclusive")
        with deliveries(tmp_path, f"sqlite:{file}") as made, made.for_source("cam") as sink:
            sink.event(event(0))
        assert counts(made).waiting == 2
        other.execute("commit")
    with deliveries(tmp_path, f"sqlite:{file}"):
        soon(lambda: rows(file, "select count(*) from events") == [(1,)])


def test_a_full_disk_ends_no_run_and_loses_nothing(tmp_path, file):
    with deliveries(tmp_path, f"sqlite:{file}") as made, made.for_source("cam") as sink:
        soon(lambda: counts(made).delivered == 1)
        with no_room(max(each.stat().st_size for each in tmp_path.iterdir() if each.is_file())):
            for number in range(50):
                sink.event(event(number, "a" * 500))
            soon(lambda: counts(made).failed > 1)
        soon(lambda: counts(made).delivered == 51)
    assert rows(file, "select count(*) from events") == [(50,)] and counts(made).dropped == 0
    assert rows(file, "pragma integrity_check") == [("ok",)]


def test_a_file_that_goes_away_is_made_again(tmp_path, file):
    with deliveries(tmp_path, f"sqlite:{file}") as made, made.for_source("cam") as sink:
        soon(lambda: counts(made).delivered == 1)
    for left in tmp_path.glob("log.db*"):
        left.unlink()
    with deliveries(tmp_path, f"sqlite:{file}") as made, made.for_source("cam") as sink:
        sink.event(event(0))
    assert rows(file, "select count(*) from events") == [(1,)]


@pytest.mark.parametrize("limits, left", [(Limits(size=200_000), 1000), (Limits(days=1), 50)])
def test_beyond_its_bounds_the_oldest_rows_go(file, monkeypatch, limits, left):
    monkeypatch.setattr(database, "PRUNE_ROWS", 50)
    log = Database(file, limits)
    for number in range(1000):
        told = "2001-01-01" if number < 950 else "2900-01-01"
        row = {"id": f"{number:05}", "run": "r", "source": "s", "label": "l" * 400, "told_at": f"{told}T{number:06}"}
        log.put("events", {**row, "start_seconds": 0.0, "peak": 0.5, "peak_seconds": 0.0})
        log.prune_in_time()
        if number % 50 == 0:
            assert file.stat().st_size < 1_000_000
    log.close()
    kept = [int(number) for (number,) in rows(file, "select id from events order by id")]
    assert 0 < len(kept) <= left and kept == list(range(1000 - len(kept), 1000))
    assert file.stat().st_size < 300_000


def test_rows_that_come_twice_are_there_once(tmp_path, file):
    log = Database(file, Limits())
    for _ in range(2):
        log.put("runs", {"id": "a", "source": "s", "begun_at": "2026"})
    log.close()
    assert rows(file, "select count(*) from runs") == [(1,)]


def test_only_our_tables_are_written_to(file):
    log = Database(file, Limits())
    for table, row in (("other", {"id": 1}), ("runs", {"id) values (1); --": 1}), ("runs; drop table runs", {"id": 1})):
        with pytest.raises(ValueError, match="no row of a log"):
            log.put(table, row)


def test_names_of_strangers_are_values(tmp_path, file):
    with deliveries(tmp_path, f"sqlite:{file}") as made, made.for_source(HOSTILE) as sink:
        sink.event(event(0, HOSTILE))
        sink.decision(decision(0, "'; drop table events; --"))
    plain = 'a "b"\\c\\nd\\x1b[2J/+#\\udcff,{é}'
    assert rows(file, "select source, label from events") == [(plain, plain)]
    assert rows(file, "select label from decisions") == [("'; drop table events; --",)]


@pytest.mark.parametrize(
    "name, says",
    [
        ("text.db", "no SQLite database"),
        ("other.db", "a database of something else"),
        ("folder", "not a file in an existing folder"),
        ("none/log.db", "make the folder first"),
    ],
)
def test_a_file_that_is_no_log_is_an_error_before_anything_is_read(tmp_path, name, says):
    (tmp_path / "text.db").write_text("hello, this is a text of more than a few words" * 50)
    (tmp_path / "folder").mkdir()
    with closing(sqlite3.connect(str(tmp_path / "other.db"))) as other:
        other.execute("create table events (x)")
    before = (tmp_path / "text.db").read_bytes(), (tmp_path / "other.db").read_bytes()
    with pytest.raises(ConfigError, match=says), deliveries(tmp_path, f"sqlite:{tmp_path / name}"):
        pass
    assert before == ((tmp_path / "text.db").read_bytes(), (tmp_path / "other.db").read_bytes())
