"""Many streams on one runner: each as if alone, none that holds or fails another, and all gone when told."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import ConfigError, EdgecvarError
from edgecvar.run.model import RunSettings, load
from edgecvar.run.station import STOPPED, Station
from edgecvar.runners.choice import RunnerChoice
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle, tiny_clip_bundle

ONNX = RunnerChoice(runner="onnx", threads=1)
WITHIN = 20.0
"""Seconds after which a test that waits has failed."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return open_bundle(tiny_bundle(tmp_path_factory.mktemp("bundle")))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [moving_clip(folder / f"{shift}.mp4", pictures=50, shift=shift) for shift in (-2, 0, 1, 3)]


class Heard:
    """What a listener is told; `until` says when it goes on after its first decision."""

    def __init__(self, until=None, breaks=None):
        self.decisions, self.states = {}, {}
        self.begun = threading.Event()
        self._until, self._breaks = until, breaks

    def decision(self, name, decision):
        self.decisions.setdefault(name, []).append(decision)
        self.begun.set()
        if self._until is not None:
            assert self._until.wait(WITHIN)
        if self._breaks is not None:
            raise self._breaks

    def state(self, name, state):
        self.states.setdefault(name, []).append(state)

    def phases(self, name):
        return [(state.phase, state.reason) for state in self.states[name]]


class Silent:
    """A file object whose read never comes back, as far as a test is concerned."""

    name = "silence"

    def __init__(self):
        self.over = threading.Event()
        self.asked = threading.Event()

    def read(self, size):
        self.asked.set()
        self.over.wait(WITHIN)
        return b""


@pytest.fixture
def silent():
    source = Silent()
    yield source
    source.over.set()


def same(got, expected):
    assert [each.display_index for each in got] == [each.display_index for each in expected]
    assert [each.probability for each in got] == pytest.approx([each.probability for each in expected], abs=1e-5)
    assert [each.label for each in got] == [each.label for each in expected]


@pytest.mark.parametrize("make", [tiny_bundle, lambda folder: tiny_clip_bundle(folder, 3)])
def test_each_decides_as_it_does_alone(clips, tmp_path, make):
    bundle, heard = open_bundle(make(tmp_path)), Heard()
    model = load(bundle.path, runner="onnx", threads=1)
    with Station(bundle, ONNX) as station:
        for clip in clips:
            station.add(clip.stem, clip, None, [heard])
        assert station.wait(WITHIN)
        states = station.states()
    assert list(states) == [clip.stem for clip in clips]
    for clip in clips:
        alone = list(model.run(clip))
        same(heard.decisions[clip.stem], alone)
        assert heard.phases(clip.stem) == [("waiting", ""), ("running", ""), ("ended", "")]
        summary = states[clip.stem].summary
        assert (summary.pictures, summary.decisions, summary.ended) == (50, len(alone), "")
        assert states[clip.stem].info.width == 96
    assert len({decision.probability for each in heard.decisions.values() for decision in each}) > 3


def test_settings_are_each_sources_own(bundle, clips):
    heard = Heard()
    with Station(bundle, ONNX) as station:
        for every in (2, 4):
            station.add(f"one of {every}", clips[0], RunSettings(every=every, top=every // 2), [heard])
        assert station.wait(WITHIN)
    two, four = heard.decisions["one of 2"], heard.decisions["one of 4"]
    assert len(two) > 1.5 * len(four)
    assert (len(two[0].top), len(four[0].top)) == (1, 2)


def test_what_fails_fails_alone(bundle, clips, tmp_path):
    garbage = tmp_path / "garbage.mp4"
    garbage.write_bytes(bytes(range(256)) * 9)
    heard, broken = Heard(), Heard(breaks=ValueError("the disk is full"))
    with Station(bundle, ONNX) as station:
        station.add("garbage", garbage, None, [heard])
        station.add("away", tmp_path / "away.mp4", None, [heard])
        station.add("unheard", clips[1], None, [broken, heard])
        station.add("sound", clips[0], None, [heard])
        assert station.wait(WITHIN)
        states = station.states()
    assert [states[name].phase for name in states] == ["failed", "failed", "failed", "ended"]
    assert "not a video that can be opened" in states["garbage"].reason
    assert "no such file" in states["away"].reason
    assert "the disk is full" in states["unheard"].reason
    assert states["unheard"].summary.ended == states["unheard"].reason
    assert len(heard.decisions["unheard"]) == len(broken.decisions["unheard"]) == 1
    assert len(heard.decisions["sound"]) == states["sound"].summary.decisions > 1
    for name in states:
        assert heard.phases(name)[-1] == (states[name].phase, states[name].reason)


def test_who_is_slow_or_silent_holds_nobody(bundle, clips, silent):
    go_on = threading.Event()
    slow, heard = Heard(until=go_on), Heard()
    with Station(bundle, ONNX) as station:
        station.add("silent", silent, None, [heard])
        station.add("slow", clips[0], None, [slow])
        assert silent.asked.wait(WITHIN) and slow.begun.wait(WITHIN)
        for clip in clips:
            station.add(clip.stem, clip, None, [heard])
        assert not station.wait(0.01)
        for clip in clips:
            while not station.state(clip.stem).over:
                threading.Event().wait(0.01)
        assert [station.state(name).phase for name in ("silent", "slow")] == ["waiting", "running"]
        assert station.state("slow").summary.decisions == 1  # told as it goes on
        go_on.set()
    assert len({len(heard.decisions[clip.stem]) for clip in clips}) == 1


def test_sources_come_and_go_while_others_run(bundle, clips):
    go = threading.Event()
    first, second = Heard(until=go), Heard()
    with Station(bundle, ONNX) as station:
        station.add("stays", clips[0], None, [first])
        assert first.begun.wait(WITHIN)
        leaving = threading.Event()
        goes = Heard(until=leaving)
        station.add("goes", clips[1], None, [goes])
        assert goes.begun.wait(WITHIN)
        threading.Timer(0.05, leaving.set).start()
        assert (station.remove("goes").phase, goes.phases("goes")[-1]) == ("ended", ("ended", STOPPED))
        assert station.state("goes") is None and station.remove("goes") is None
        station.add("goes", clips[2], None, [second])
        with pytest.raises(ConfigError, match="stays: a source of this name is running"):
            station.add("stays", clips[1])
        go.set()
        assert station.wait(WITHIN)
        station.add("stays", clips[1], None, [second])  # the one before is over
        assert station.wait(WITHIN)
        states = station.states()
    assert {name: state.phase for name, state in states.items()} == {"stays": "ended", "goes": "ended"}
    assert len(first.decisions["stays"]) == len(second.decisions["stays"]) == len(second.decisions["goes"]) > 1


def test_stopping_ends_all_also_what_waits_for_ever(bundle, clips, silent):
    never = threading.Event()
    held, heard = Heard(until=never), Heard()
    threads = set(threading.enumerate())
    with Station(bundle, ONNX) as station:
        station.add("silent", silent, None, [heard])
        station.add("held", clips[0], None, [held])
        assert silent.asked.wait(WITHIN) and held.begun.wait(WITHIN)
    states = station.states()
    assert {name: (state.phase, state.reason) for name, state in states.items()} == {
        "silent": ("ended", STOPPED),
        "held": ("ended", STOPPED),
    }
    assert heard.phases("silent")[-1] == ("ended", STOPPED)
    assert held.phases("held")[-1] == ("running", "")  # it has not come back, and is told no more
    never.set()
    silent.over.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(WITHIN)
    assert not {thread for thread in set(threading.enumerate()) - threads if thread.is_alive()}
    assert len(held.decisions["held"]) == 1
    assert held.phases("held")[-1] == ("running", "")
    with pytest.raises(EdgecvarError, match="the station is closed"):
        station.add("late", clips[0])


def test_threads_of_a_source_are_gone_with_it(bundle, clips):
    before = set(threading.enumerate())
    with Station(bundle, ONNX) as station:
        for number in range(8):
            station.add(str(number), clips[number % len(clips)])
        assert len(set(threading.enumerate()) - before) <= 8 * 3
        assert station.wait(WITHIN)
        for name in list(station.states()):
            station.remove(name)
        assert not set(threading.enumerate()) - before
        assert station.states() == {}


class Leaving(Heard):
    """Interrupts the main thread, which waits, at its first decision; takes its time to be told of the end."""

    def __init__(self):
        super().__init__()
        self.whole = False

    def decision(self, name, decision):
        first = not self.begun.is_set()
        super().decision(name, decision)
        if first:
            os.kill(os.getpid(), signal.SIGINT)

    def state(self, name, state):
        super().state(name, state)
        if state.over:
            time.sleep(0.3)
            self.whole = True


def test_an_interrupted_wait_leaves_no_source_before_its_end_is_told(bundle):
    heard = Leaving()
    with pytest.raises(KeyboardInterrupt), Station(bundle, ONNX) as station:
        station.add("test", "test://?fps=30", None, [heard])
        while not station.wait(WITHIN):
            pass
    assert heard.whole and heard.phases("test")[-1] == ("ended", STOPPED)
