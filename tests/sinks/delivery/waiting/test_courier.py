"""A courier carries everything in order, waits between attempts, and ends when it is told to."""

from __future__ import annotations

import threading
import time

import pytest

from edgecvar.sinks.delivery.waiting.counts import DeliveryCounts, Tally
from edgecvar.sinks.delivery.waiting.courier import DELIVERED, Backoff, Courier, Outcome
from edgecvar.sinks.delivery.waiting.spool import Spool
from tests.deliveries import QUICK, soon

LATER = Outcome(over=False, trouble="not now")


class Fake:
    """A Carrier that answers with `outcome(record, attempt)`."""

    def __init__(self, outcome):
        self.outcome, self.attempts, self.closed = outcome, [], threading.Event()
        self.aborted = threading.Event()

    def deliver(self, record):
        self.attempts.append(record[1].decode())
        return self.outcome(self, len(self.attempts))

    def tick(self):
        pass

    def abort(self):
        self.aborted.set()

    def close(self):
        self.closed.set()


def courier_of(folder, outcome, backoff=QUICK):
    carrier = Fake(outcome)
    return carrier, Courier(carrier, Spool(folder), Tally(), backoff).__enter__()


def end(courier, seconds=5.0):
    courier.leave()
    courier.wait(seconds)


def test_everything_comes_in_order_however_often_it_takes(tmp_path):
    carrier, courier = courier_of(tmp_path, lambda fake, attempt: DELIVERED if attempt % 3 == 0 else LATER)
    for each in "abcd":
        courier.put(each)
    soon(lambda: courier.counts.delivered == 4)
    end(courier)
    assert "".join(carrier.attempts) == "aaabbbcccddd" and carrier.closed.is_set()
    assert courier.counts == DeliveryCounts(delivered=4, failed=8)


def test_what_is_refused_is_counted_and_not_tried_again(tmp_path):
    refused = Outcome(over=True, trouble="HTTP 400")
    carrier, courier = courier_of(tmp_path, lambda fake, attempt: refused if attempt == 1 else DELIVERED)
    courier.put("a")
    courier.put("b")
    soon(lambda: courier.counts.delivered == 1)
    end(courier)
    assert courier.counts == DeliveryCounts(delivered=1, refused=1) and carrier.attempts == ["a", "b"]


@pytest.mark.parametrize("error, refused", [(OSError("gone"), 0), (KeyError("id"), 1)])
def test_what_a_carrier_raises_ends_nothing(tmp_path, error, refused):
    def outcome(fake, attempt):
        if attempt == 1:
            raise error
        return DELIVERED

    _carrier, courier = courier_of(tmp_path, outcome)
    courier.put("a")
    courier.put("b")
    soon(lambda: courier.counts.waiting == 0)
    end(courier)
    assert courier.counts == DeliveryCounts(delivered=2 - refused, refused=refused, failed=1 - refused)


def test_what_goes_wrong_beside_the_records_costs_none(tmp_path, monkeypatch):
    def fail(self):
        raise ValueError("of no record")

    monkeypatch.setattr(Fake, "tick", fail)
    carrier, courier = courier_of(tmp_path, lambda fake, attempt: DELIVERED)
    courier.put("a")
    soon(lambda: courier.counts.delivered == 1)
    end(courier)
    assert carrier.attempts == ["a"] and courier.counts.failed >= 1 and courier.counts.refused == 0


def test_leaving_delivers_what_it_can_and_keeps_the_rest(tmp_path):
    carrier, courier = courier_of(tmp_path, lambda fake, attempt: LATER, Backoff(3600.0, 3600.0))
    courier.put("a")
    courier.put("b")
    soon(lambda: courier.counts.failed == 1)
    end(courier, 60.0)  # is not waited for, nor is the time between attempts
    assert courier.counts == DeliveryCounts(failed=1, waiting=2, trouble="not now") and carrier.closed.is_set()
    carrier, courier = courier_of(tmp_path, lambda fake, attempt: DELIVERED)
    courier.put("c")
    end(courier)
    assert carrier.attempts == ["a", "b", "c"] and courier.counts == DeliveryCounts(delivered=3)


def test_an_attempt_that_takes_too_long_is_aborted(tmp_path):
    def hang(fake, attempt):
        fake.aborted.wait(60)
        return LATER

    carrier, courier = courier_of(tmp_path, hang)
    courier.put("a")
    soon(lambda: carrier.attempts)
    end(courier, 0.1)
    assert carrier.closed.is_set() and courier.counts.waiting == 1


def test_an_attempt_that_cannot_be_aborted_is_left_behind_and_says_nothing_later(tmp_path):
    over = threading.Event()

    def hang(fake, attempt):
        over.wait(60)
        return DELIVERED

    carrier, courier = courier_of(tmp_path, hang)
    courier.put("a")
    soon(lambda: carrier.attempts)
    end(courier, 0.1)
    over.set()
    assert carrier.closed.wait(20)
    assert courier.counts.waiting == 1
    carrier, courier = courier_of(tmp_path, lambda fake, attempt: DELIVERED)
    end(courier)
    assert carrier.attempts == ["a"]


def test_whoever_puts_never_waits_for_a_carrier(tmp_path):
    hangs = threading.Event()
    _carrier, courier = courier_of(tmp_path, lambda fake, attempt: hangs.wait(60) and DELIVERED)
    for number in range(5000):
        courier.put(f"{number}")
    assert courier.counts.waiting == 5000
    hangs.set()
    soon(lambda: courier.counts.delivered == 5000)
    end(courier)


def test_a_receiver_is_left_alone_for_as_long_as_it_asks(tmp_path):
    busy = Outcome(over=False, trouble="busy", after=0.3)
    times = []

    def outcome(fake, attempt):
        times.append(time.monotonic())
        return busy if attempt == 1 else DELIVERED

    _carrier, courier = courier_of(tmp_path, outcome)
    courier.put("a")
    soon(lambda: courier.counts.delivered == 1)
    end(courier)
    assert times[1] - times[0] >= 0.3


def test_delays_grow_up_to_a_bound_and_differ():
    backoff = Backoff(1.0, 30.0)
    delays = [[backoff.delay(attempts) for attempts in range(1, 1000)] for _ in range(2)]
    for attempts, delay in enumerate(delays[0], start=1):
        most = min(30.0, 2.0 ** min(attempts - 1, 30))
        assert most / 2 <= delay <= most
    assert delays[0] != delays[1]


def test_counts_are_a_line_and_a_document():
    counts = DeliveryCounts(delivered=3, failed=1, refused=2, dropped=4, waiting=5, trouble="HTTP 500")
    assert counts.line == "3 delivered, 2 refused, 4 dropped, 5 waiting, 1 failed attempt (HTTP 500)"
    assert counts.document == {
        "delivered": 3,
        "failed": 1,
        "refused": 2,
        "dropped": 4,
        "waiting": 5,
        "trouble": "HTTP 500",
    }
    assert DeliveryCounts().line == "0 delivered" and "trouble" not in DeliveryCounts().document
