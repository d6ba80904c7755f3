"""A board that is watched: idle, settling, loaded, and left whatever happens."""

from __future__ import annotations

import threading
import time
from itertools import cycle

import pytest

from edgecvar.bench.board import watch as watching
from edgecvar.bench.board.advice import board_advice, joules_per_decision
from edgecvar.bench.board.watch import BoardWatch, NoBoard, board_watch
from edgecvar.bench.observed import Reading
from tests.bench.board.trees import agx_orin, cooling, cpu, nano, write


def threads():
    return [each for each in threading.enumerate() if each.name == "board"]


def watched(root, mode="MAXN", interval=0.005):
    return BoardWatch(root, interval, lambda: mode)


def until(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    assert condition()


def readings(*values):
    return [Reading(at_seconds=at, watts={"VDD_IN": value}) for at, value in enumerate(values)]


def test_readings_are_taken_while_loaded_alone(tmp_path):
    with watched(agx_orin(tmp_path)) as watch:
        time.sleep(0.05)
        assert len(watch._loaded) == 0
        with watch.loaded():
            until(lambda: len(watch._loaded) >= 3)
        time.sleep(0.02)
        count = len(watch._loaded)
        time.sleep(0.05)
        assert len(watch._loaded) == count
    board = watch.board(10)
    assert threads() == [] and len(board.idle) == 3 and len(board.loaded) == count
    reading = board.loaded[0]
    assert reading.clocks_mhz["gpu"] == 1300.5 and reading.load == {"gpu": 0.98}
    assert reading.celsius == {"cpu-thermal": 55.125, "gpu-thermal": 54.0}
    assert (board.power_mode, board.clocks_locked, board.throttled, board.advice) == ("MAXN", True, "", [])
    assert board.joules_per_decision is None


def test_it_is_left_whatever_happens(tmp_path):
    with pytest.raises(KeyboardInterrupt), watched(nano(tmp_path)) as watch, watch.loaded():
        raise KeyboardInterrupt
    assert threads() == []


def test_what_is_kept_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "KEPT", 4)
    with watched(nano(tmp_path), interval=0.001) as watch, watch.loaded():
        until(lambda: len(watch._loaded) == 4 and watch._loaded[0].at_seconds > 0.02)
    assert len(watch.board(1).loaded) == 4


def test_the_warm_up_ends_when_clocks_stand_still(tmp_path):
    root, rates = nano(tmp_path), iter([500000, 900000, 1400000])
    loads = []

    def load():
        loads.append(next(rates, 1400000))
        write(root, cpu(0, loads[-1], 102000, 1479000))

    watch = watched(root, interval=0)
    watch.settle(load)
    assert loads == [500000, 900000, 1400000, 1400000, 1400000]
    board = watch.board(0)
    assert board.settled_seconds is not None and not any("settle" in line for line in board.advice)


def test_clocks_that_never_stand_still_are_not_waited_for_for_ever(tmp_path):
    root, rates = nano(tmp_path), cycle((204000, 921600))
    watch = watched(root, interval=0)
    watch.settle(lambda: write(root, cpu(0, next(rates), 102000, 1479000)), seconds=0.05)
    board = watch.board(0)
    assert board.settled_seconds is None and any("did not settle" in line for line in board.advice)


def test_a_board_without_clocks_is_not_warmed_up_longer(tmp_path):
    watch = watched(tmp_path)
    watch.settle(lambda: pytest.fail("there is nothing to wait for"))
    board = watch.board(0)
    assert (board.settled_seconds, board.clocks_locked, board.advice) == (None, None, [])


def test_what_slowed_it_down_while_loaded_is_said(tmp_path):
    root = agx_orin(tmp_path)
    with watched(root, mode="30W") as watch, watch.loaded():
        write(root, {**cooling(3, "cpu-balanced", 1), "sys/class/hwmon/hwmon5/oc1_event_cnt": 2})
        until(lambda: watch._heat)
    write(root, cooling(3, "cpu-balanced", 0))
    board = watch.board(1)
    assert "heat (cpu-balanced)" in board.throttled and "too low a voltage (2 times)" in board.throttled
    assert board.advice[0].startswith("the power mode is 30W") and board.throttled in board.advice[-1]


def test_joules_are_of_what_is_above_idle():
    idle, loaded = readings(4.0, 6.0), readings(14.0, 16.0)
    assert joules_per_decision(idle, loaded, 1200, 60.0) == pytest.approx((15 - 5) * 60 / 1200)
    assert joules_per_decision(idle, loaded, 1200, 29.9) is None
    assert joules_per_decision(idle, loaded, 0, 60.0) is None
    assert joules_per_decision([], loaded, 1200, 60.0) is None
    assert joules_per_decision(idle, [Reading(at_seconds=1, watts={"GPU": 3.0})], 1200, 60.0) is None


@pytest.mark.parametrize(
    ("mode", "locked", "throttled", "said"),
    [
        ("MAXN_SUPER", True, "", []),
        ("", None, "", []),
        ("15W", True, "", ["MAXN"]),
        ("MAXN", False, "", ["jetson_clocks"]),
        ("MAXN", True, "slowed down by heat (gpu)", ["cool it"]),
        ("MAXN", True, "slowed down by too low a voltage", ["stronger supply"]),
    ],
)
def test_advice_is_what_is_to_be_changed(mode, locked, throttled, said):
    advice = board_advice(mode, locked, throttled)
    assert len(advice) == len(said) and all(word in line for word, line in zip(said, advice))


def test_a_machine_that_is_no_jetson_is_not_watched(monkeypatch):
    monkeypatch.setattr(watching, "l4t_release", lambda: None)
    with board_watch() as watch, watch.loaded():
        watch.settle(lambda: pytest.fail("no board"))
    assert isinstance(watch, NoBoard) and watch.board(1) is None
    monkeypatch.setattr(watching, "l4t_release", lambda: "36.4.3")
    assert isinstance(board_watch(), BoardWatch)
