"""A channel keeps order and bound, ends from either side, and lives through signals."""

from __future__ import annotations

import queue
import signal
import time
import weakref
from threading import Thread
from typing import List

import pytest

from edgecvar.stream.sources.channel import Channel


def started(work, *arguments):
    thread = Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def test_who_puts_is_told_that_somebody_waits():
    channel, taken = Channel(2), []
    assert not channel.awaited
    with pytest.raises(queue.Empty):
        channel.take(timeout=0.01)
    assert not channel.awaited
    taker = started(lambda: taken.append(channel.take()))
    for _ in range(6000):
        if channel.awaited:
            break
        time.sleep(0.01)
    assert channel.awaited
    channel.put(1)
    taker.join()
    assert taken == [1] and not channel.awaited


def test_items_come_in_order_then_the_end_again_and_again():
    channel = Channel(3)
    thread = started(lambda: [channel.put(item) for item in range(50)] and channel.end())
    assert [channel.take() for _ in range(50)] == list(range(50))
    assert channel.take() is channel.take() is None
    thread.join()


def test_an_error_comes_behind_the_items_before_it():
    channel = Channel(3)
    assert channel.put("item")
    channel.end(ValueError("broken"))
    assert channel.take() == "item"
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            channel.take()


def test_whoever_puts_waits_for_room():
    channel, done = Channel(2), []
    thread = started(lambda: [done.append(channel.put(item)) for item in range(5)])
    while len(done) < 2:
        time.sleep(0.001)
    time.sleep(0.05)
    assert done == [True] * 2
    assert [channel.take() for _ in range(5)] == [0, 1, 2, 3, 4]
    thread.join()
    assert done == [True] * 5


def test_whoever_takes_gives_up_after_a_while():
    channel = Channel(1)
    for timeout in (0.0, 0.01):
        with pytest.raises(queue.Empty):
            channel.take(timeout)


def test_closing_frees_who_puts_and_who_takes():
    full, empty, told = Channel(1), Channel(1), []
    assert full.put("item")
    threads = [started(lambda: told.append(full.put("more"))), started(lambda: told.append(empty.take()))]
    time.sleep(0.05)
    for channel in (full, empty):
        channel.close()
        channel.close()
        assert channel.closed
    for thread in threads:
        thread.join()
    assert set(told) == {False, None}
    assert not full.put("more") and not full.put("more") and full.take() is None and empty.take() is None


def test_what_it_held_is_let_go_of_when_it_is_closed():
    channel, gone = Channel(2), []
    item = {1, 2}
    weakref.finalize(item, gone.append, True)
    channel.put(item)
    del item
    channel.close()
    assert gone == [True]


def test_whoever_is_interrupted_can_close_it():
    """However a signal hits the wait for an item, whoever puts is freed and meets no error."""
    failed: List[BaseException] = []
    interrupted = 0

    def put(channel: Channel) -> None:
        try:
            while channel.put("item"):
                time.sleep(0.0001)
            channel.end()
        except BaseException as error:
            failed.append(error)

    def interrupt(number: int, frame: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for number in range(300):
            channel: Channel = Channel(2)
            thread = started(put, channel)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + number % 7 * 0.00001)
                while True:
                    channel.take()
            except InterruptedError:
                interrupted += 1
            channel.close()
            thread.join(10)
            assert not thread.is_alive()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (failed, interrupted) == ([], 300)
