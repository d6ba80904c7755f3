"""A journal gives back whole records alone, whatever cut it."""

from __future__ import annotations

import pytest

from edgecvar.sinks.delivery.waiting.journal import Journal
from tests.full_disk import no_room

RECORDS = [(number, b'{"number": %d}' % number) for number in range(7, 12)]
EVERYTHING = 1 << 20


def loaded(path, most=EVERYTHING):
    journal = Journal(path)
    try:
        return journal.load(most)
    finally:
        journal.close()


@pytest.fixture
def path(tmp_path):
    """A journal of RECORDS."""
    journal = Journal(tmp_path / "journal")
    assert journal.load(EVERYTHING) == ([], 0)
    journal.append(RECORDS[:2])
    journal.append(RECORDS[2:])
    journal.close()
    return tmp_path / "journal"


def test_it_holds_what_was_appended(path):
    assert loaded(path) == (RECORDS, 0)
    assert path.stat().st_mode & 0o077 == 0


def test_it_begins_where_it_was_told_to_and_is_cleared(path):
    journal = Journal(path)
    journal.load(EVERYTHING)
    journal.begin_at(10)
    journal.close()
    assert loaded(path) == (RECORDS[3:], 0)
    journal.load(EVERYTHING)
    journal.clear()
    journal.append([(0, b"again")])
    journal.close()
    assert loaded(path) == ([(0, b"again")], 0)


def test_wherever_a_crash_cuts_it_whole_records_are_left(path):
    content = path.read_bytes()
    counts = set()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        records, broken = loaded(path)
        assert records == RECORDS[: len(records)]
        counts.add((len(records), broken))
        journal = Journal(path)  # and it can be gone on with
        journal.load(EVERYTHING)
        journal.append([(99, b"more")])
        journal.close()
        assert loaded(path)[0] == [*records, (99, b"more")]
    assert {kept for kept, _ in counts} == set(range(6)) and (4, 1) in counts


def test_whatever_byte_is_another_the_other_records_are_left(path):
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :])
        records, broken = loaded(path)
        assert set(records) <= set(RECORDS)
        assert len(records) >= 3, "a byte costs its record, and the next where it was the line break"
        assert broken > 0 and loaded(path) == (records, 0)


def test_a_file_of_something_else_is_begun_anew(path):
    path.write_bytes(b"\x00" * 5000)
    assert loaded(path, 2000) == ([], 1)
    assert path.stat().st_size == 0


def test_of_a_large_file_the_end_is_read(path):
    assert loaded(path, 60)[0] == RECORDS[-2:]


def test_what_a_full_disk_does_not_take_leaves_no_trace(path):
    size = path.stat().st_size
    journal = Journal(path)
    journal.load(EVERYTHING)
    with no_room(size + 20):
        with pytest.raises(OSError):
            journal.append([(12, b"x" * 100)])
        journal.begin_at(9)  # for which there is room
    journal.append([(12, b"y")])
    journal.close()
    assert loaded(path) == ([*RECORDS[2:], (12, b"y")], 0)


def test_it_is_rewritten_whole_or_not_at_all(path):
    journal = Journal(path)
    journal.load(EVERYTHING)
    with no_room(10), pytest.raises(OSError):
        journal.rewrite(RECORDS[3:])
    journal.rewrite(RECORDS[4:])
    journal.append([(12, b"z")])
    journal.close()
    assert loaded(path) == ([RECORDS[4], (12, b"z")], 0)
    assert [file.name for file in path.parent.iterdir()] == ["journal"]
