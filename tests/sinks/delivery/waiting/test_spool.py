"""A spool keeps within its bounds, survives its process, and never makes whoever puts wait."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from edgecvar.errors import ConfigError
from edgecvar.sinks.delivery.waiting import spool as module
from edgecvar.sinks.delivery.waiting.journal import Journal
from edgecvar.sinks.delivery.waiting.spool import MOST_USERS, Bounds, Spool
from tests.deliveries import soon
from tests.full_disk import no_room


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "RETRY", 0.05)


def contents(spool):
    """Takes everything."""
    taken = []
    while True:
        record = spool.take(0)
        if record is None:
            return taken
        taken.append(record[1])
        spool.done(record[0])


def put(spool, *contents):
    for content in contents:
        spool.put(content)


def saved(folder, place=0):
    """What a process would find that was started now, if the one there is were gone."""
    file = folder / str(place) / "journal"
    if not file.exists():
        return []
    (folder / "copy").write_bytes(file.read_bytes())
    journal = Journal(folder / "copy")
    try:
        return [content for _, content in journal.load(1 << 20)[0]]
    finally:
        journal.close()


def test_it_is_a_queue(tmp_path):
    with Spool(tmp_path) as spool:
        put(spool, b"a", b"b", b"c")
        assert spool.waiting == 3 and contents(spool) == [b"a", b"b", b"c"]
        assert spool.waiting == 0 and spool.dropped == 0
        assert spool.take(0.01) is None


def test_what_was_not_done_is_there_at_the_next_start_and_goes_first(tmp_path):
    with Spool(tmp_path) as spool:
        put(spool, b"a", b"b", b"c")
        spool.done(spool.take(0)[0])
        spool.take(0)  # under way, not done
    assert (spool.waiting, spool.dropped) == (2, 0) and saved(tmp_path) == [b"b", b"c"]
    with Spool(tmp_path) as spool:
        put(spool, b"d")
        assert contents(spool) == [b"b", b"c", b"d"]
    assert saved(tmp_path) == []
    with Spool(tmp_path) as spool:
        assert spool.waiting == 0


def test_what_is_put_is_soon_on_the_disk_and_what_is_done_is_not(tmp_path):
    with Spool(tmp_path) as spool:
        put(spool, b"a", b"b")
        soon(lambda: saved(tmp_path) == [b"a", b"b"])
        spool.done(spool.take(0)[0])
        soon(lambda: saved(tmp_path) == [b"b"])
        spool.done(spool.take(0)[0])
        soon(lambda: (tmp_path / "0" / "journal").stat().st_size == 0)


def test_a_killed_process_leaves_what_it_had(tmp_path):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from edgecvar.sinks.delivery.waiting.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1])).__enter__()\n"
        "for number in range(100):\n"
        "    spool.put(b'%d' % number)\n"
        "print('put', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"put\n"
    soon(lambda: len(saved(tmp_path)) == 100)
    with Spool(tmp_path) as beside:  # its folder is its own for as long as it lives
        assert beside.waiting == 0
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Spool(tmp_path) as spool:
        assert contents(spool) == [b"%d" % number for number in range(100)]


def test_two_at_a_time_have_a_folder_each_and_the_last_one_takes_up_both(tmp_path):
    with Spool(tmp_path) as first, Spool(tmp_path) as second:
        put(first, b"a")
        put(second, b"b", b"c")
    assert saved(tmp_path) == [b"a"] and saved(tmp_path, 1) == [b"b", b"c"]
    with Spool(tmp_path) as spool:
        assert saved(tmp_path) == [b"a", b"b", b"c"] and saved(tmp_path, 1) == []
        assert contents(spool) == [b"a", b"b", b"c"]


def test_more_than_a_few_at_a_time_are_an_error(tmp_path):
    spools = [Spool(tmp_path) for _ in range(MOST_USERS)]
    try:
        for spool in spools:
            spool.__enter__()
        with pytest.raises(ConfigError, match=f"{MOST_USERS} processes use it already"):
            Spool(tmp_path).__enter__()
    finally:
        for spool in spools:
            spool.close()


@pytest.mark.parametrize("bounds", [Bounds(records=3), Bounds(size=6)])
def test_beyond_its_bounds_the_oldest_is_dropped_and_counted(tmp_path, bounds):
    with Spool(tmp_path, bounds) as spool:
        put(spool, *(b"%02d" % number for number in range(10)))
        assert (spool.waiting, spool.dropped) == (3, 7)
    with Spool(tmp_path, bounds) as spool:
        assert spool.dropped == 0 and contents(spool) == [b"07", b"08", b"09"]


def test_what_is_dropped_under_way_and_comes_there_all_the_same_is_not_counted_as_dropped(tmp_path):
    with Spool(tmp_path, Bounds(records=2)) as spool:
        put(spool, b"a", b"b")
        number, content = spool.take(0)
        put(spool, b"c", b"d")
        assert (content, spool.dropped) == (b"a", 2)
        spool.done(number)
        assert spool.dropped == 1 and contents(spool) == [b"c", b"d"]


def test_what_was_dropped_is_not_taken_up_by_the_next_start_either(tmp_path):
    with Spool(tmp_path, Bounds(records=3)) as spool:
        put(spool, b"a", b"b", b"c")
        soon(lambda: saved(tmp_path) == [b"a", b"b", b"c"])
        spool.take(0)
        with no_room((tmp_path / "0" / "journal").stat().st_size):
            put(spool, b"d", b"e")
            soon(lambda: spool.trouble and saved(tmp_path) == [b"c"])
            spool.close()
    assert (spool.dropped, spool.waiting) == (4, 1)
    with Spool(tmp_path) as spool:
        assert contents(spool) == [b"c"]


def test_a_record_larger_than_the_bound_is_dropped(tmp_path):
    with Spool(tmp_path, Bounds(size=5)) as spool:
        put(spool, b"abc", b"too large")
        assert (spool.waiting, spool.dropped) == (0, 2)


def test_the_file_stays_within_some_times_the_bound(tmp_path):
    bounds = Bounds(size=30_000)
    with Spool(tmp_path, bounds) as spool:
        largest = 0
        for number in range(100, 200):
            put(spool, b"%d" % number * 500)
            soon(lambda: not spool._to_write()[0])
            largest = max(largest, (tmp_path / "0" / "journal").stat().st_size)
        left = spool.waiting
        assert 60_000 < largest < 2 * 30_000 + module.ROOM + 2000 and 0 < left < 25
    with Spool(tmp_path, bounds) as spool:
        assert spool.waiting == left and contents(spool)[-1].startswith(b"199199")


def test_a_full_disk_is_said_and_what_it_does_not_take_is_kept_in_memory(tmp_path):
    with Spool(tmp_path) as spool:
        put(spool, b"a")
        soon(lambda: saved(tmp_path) == [b"a"])
        with no_room(120):
            put(spool, *(b"%03d" % number for number in range(100)))
            soon(lambda: spool.trouble)
            assert (spool.waiting, spool.dropped) == (101, 0) and "large" in spool.trouble
            soon(lambda: saved(tmp_path) == [b"a", b"000", b"001", b"002", b"003"])  # for which there was room
        put(spool, b"more")
        soon(lambda: not spool.trouble)
        assert len(saved(tmp_path)) == 102


def test_what_a_full_disk_does_not_take_until_the_end_is_dropped_and_counted(tmp_path):
    with no_room(120), Spool(tmp_path) as spool:
        put(spool, b"a")
        soon(lambda: saved(tmp_path) == [b"a"])
        put(spool, b"b" * 200, b"c")
        assert spool.waiting == 3
    assert (spool.waiting, spool.dropped) == (1, 2)
    with Spool(tmp_path) as spool:
        assert contents(spool) == [b"a"]


def test_a_disk_that_hangs_holds_nobody_who_puts(tmp_path, monkeypatch):
    hangs = threading.Event()
    monkeypatch.setattr(Journal, "append", lambda self, records: hangs.wait(60))
    with Spool(tmp_path) as spool:
        put(spool, *[b"a"] * 1000)
        assert spool.waiting == 1000 and len(contents(spool)) == 1000
        hangs.set()


def test_where_nothing_can_be_kept_that_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/here: nothing can wait there .*--spool FOLDER"):
        Spool(tmp_path / "file" / "here").__enter__()


def test_many_who_put_and_one_who_takes_lose_nothing(tmp_path):
    def some(first):
        for number in range(500):
            spool.put(b"%d" % (first + number))

    with Spool(tmp_path) as spool:
        threads = [threading.Thread(target=some, args=(place * 500,)) for place in range(4)]
        for thread in threads:
            thread.start()
        taken = []
        while len(taken) < 2000:
            record = spool.take(5.0)
            assert record is not None
            taken.append(int(record[1]))
            spool.done(record[0])
        for thread in threads:
            thread.join()
    assert sorted(taken) == list(range(2000))
    assert all(
        [each for each in taken if each // 500 == place] == list(range(place * 500, place * 500 + 500))
        for place in range(4)
    )
    assert saved(tmp_path) == []
