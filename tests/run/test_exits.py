"""Early exits: what a sure picture leaves out is never computed, and unsure ones come out as without exits."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from edgecvar.bundle.exits import ExitRecord, ExitRule
from edgecvar.run.exit_counts import ExitCounts, added
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.shared import SharedRunner
from tests.run.scripted import (
    APPEARANCE,
    FUSE,
    MOTION,
    RESIDUAL,
    Launched,
    RecordingRunner,
    ScriptedStream,
    manifest,
    stage,
)

SURE, UNSURE = [9.0, 0.0, 0.0], [0.1, 0.0, 0.0]


def leaving(name, *inputs):
    return stage(name, "picture", *inputs, output=[3]).model_copy(update={"exit": True})


MOTION_EXIT = leaving("motion_exit", ("motion", "motion", "current"))
RESIDUAL_EXIT = leaving("residual_exit", ("motion", "motion", "current"), ("residual", "residual", "current"))
STAGES = [MOTION, MOTION_EXIT, RESIDUAL, RESIDUAL_EXIT, APPEARANCE, FUSE]
OWN_WINDOW = FUSE.model_copy(update={"inputs": [each for each in FUSE.inputs if each.gop == "current"]})
"""Without the neighbour."""


class ExitRunner(RecordingRunner):
    """The exits are sure of the pictures that are named; the whole says the picture's number."""

    def __init__(self, motion=(), residual=()):
        super().__init__(lambda picture: [0.0, 0.0, float(picture)])
        self._sure = {"motion_exit": motion, "residual_exit": residual}

    def launch(self, stage, inputs):
        launched = super().launch(stage, inputs)
        if stage in self._sure:
            number = self.calls[-1][1]["motion"]
            return Launched(stage, np.array([SURE if number in self._sure[stage] else UNSURE], np.float32))
        return launched


def document(stages, confidence=0.9):
    names = [each.name for each in stages if each.exit]
    rules = [ExitRule(stage=name, confidence=confidence) for name in names]
    return manifest(stages).model_copy(update={"exits": ExitRecord(rules=rules)})


def run(script, runner, stages=(*STAGES[:-1], OWN_WINDOW), exits="auto", **rules):
    made = document(list(stages), **rules)
    with recognize(ScriptedStream(script), made, runner, RunOptions(exits=exits)) as recognition:
        decisions = list(recognition)
    return decisions, recognition.summary


def test_what_a_sure_picture_leaves_out_is_never_computed():
    runner = ExitRunner(motion=(1, 2), residual=(3,))
    decisions, summary = run("IPPPIPPP", runner)
    assert [seen["motion"] for seen in runner.of("motion")] == [1, 2, 3, 5, 6, 7]
    assert [seen["residual"] for seen in runner.of("residual")] == [3, 5, 6, 7]
    assert [seen["motion"] for seen in runner.of("fuse")] == [5, 6, 7]
    assert runner.of("appearance") == [{"image": 4}]  # no picture of the first window needed its own
    assert [list(each.scores) for each in decisions] == [SURE, SURE, SURE] + [[0.0, 0.0, n] for n in (5.0, 6.0, 7.0)]
    assert summary.exits == ExitCounts(
        6,
        2,
        {"motion_exit": 2, "residual_exit": 1, "fuse": 3},
        {"motion": 6, "motion_exit": 6, "residual": 4, "residual_exit": 4, "appearance": 1, "fuse": 3},
    )


@pytest.mark.parametrize("whole", [OWN_WINDOW, FUSE], ids=["own window", "the neighbour too"])
def test_unsure_pictures_come_out_as_without_exits(whole):
    stages = (*STAGES[:-1], whole)
    without, early = ExitRunner(), ExitRunner()
    expected, plain = run("IPPBPIPPIPP", without, stages, exits="off")
    decisions, summary = run("IPPBPIPPIPP", early, stages)
    assert [each.scores.tobytes() for each in decisions] == [each.scores.tobytes() for each in expected]
    assert sorted(map(str, early.calls)) == sorted(map(str, without.calls))
    assert plain.exits is None and summary.exits.left == {"motion_exit": 0, "residual_exit": 0, "fuse": 8}


def test_a_confidence_of_1_is_never_sure_and_fetches_nothing():
    runner = ExitRunner(motion=(1, 2))
    _, summary = run("IPP", runner, confidence=1.0)
    assert summary.exits is None and set(runner.fetched) == {"fuse"} and len(runner.of("fuse")) == 2


def test_a_picture_that_leaves_does_not_wait_for_the_neighbour():
    runner = ExitRunner(motion=(1, 2, 3))
    decisions, summary = run("IPPPIPP", runner, STAGES)
    assert [list(each.scores) for each in decisions[:3]] == [SURE] * 3
    # What comes later needs the first window's I-picture as its neighbour's.
    assert [seen["image"] for seen in runner.of("appearance")] == [4, 0]
    assert [(seen["appearance"], seen["adjacent"]) for seen in runner.of("fuse")] == [(4, 0), (4, 0)]
    assert summary.exits.windows == 2


def test_not_a_number_is_never_sure():
    class Broken(ExitRunner):
        def launch(self, stage, inputs):
            launched = super().launch(stage, inputs)
            return Launched(stage, launched.output * np.nan) if stage == "motion_exit" else launched

    runner = Broken(motion=(1,))
    run("IP", runner)
    assert len(runner.of("fuse")) == 1


def test_two_streams_leave_each_where_they_are_sure():
    inner = ExitRunner(motion=(1, 2, 5))
    shared = SharedRunner(_Rows(inner), deadline=0.05)
    left, threads = {}, []
    for name, script in (("one", "IPPPIPP"), ("two", "IPPIPP")):

        def work(name=name, script=script):
            with recognize(ScriptedStream(script), document([*STAGES[:-1], OWN_WINDOW]), shared, RunOptions()) as run:
                scores = [list(each.scores) for each in run]
            left[name] = scores, run.summary.exits.left

        threads.append(Thread(target=work))
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert left["one"][1] == {"motion_exit": 3, "residual_exit": 0, "fuse": 2}
    assert left["two"][1] == {"motion_exit": 3, "residual_exit": 0, "fuse": 1}
    assert left["two"][0] == [SURE, SURE, [0.0, 0.0, 4.0], SURE]


class _Rows:
    """A runner of arrays that takes several rows as one, each as `inner` takes it."""

    name = "rows"

    def __init__(self, inner):
        self._inner = inner

    def launch(self, stage, inputs):
        from edgecvar.runners.runner import as_array

        arrays = {name: as_array(value) for name, value in inputs.items()}
        rows = len(next(iter(arrays.values())))
        given = []
        for row in range(rows):
            one = {
                name: Launched(name, value[row : row + 1]) if value.ndim == 2 else value[row : row + 1]
                for name, value in arrays.items()
            }
            given.append(self._inner.launch(stage, one).output)
        return np.concatenate(given)

    def fetch(self, value):
        return value


def test_what_is_saved_is_counted_by_call_and_exits_are_a_cost():
    cost = {"motion": 10, "motion_exit": 1, "residual": 10, "residual_exit": 1, "appearance": 100, "fuse": 4}
    stages = [*STAGES[:-1], OWN_WINDOW]
    everything = {"motion": 6, "motion_exit": 6, "residual": 6, "residual_exit": 6, "appearance": 2, "fuse": 6}
    whole = 6 * 10 + 6 * 10 + 2 * 100 + 6 * 4
    assert ExitCounts(6, 2, {"fuse": 6}, everything).saved(cost, stages) == pytest.approx(-12 / whole)
    one = ExitCounts(3, 1, {"motion_exit": 3}, {"motion": 3, "motion_exit": 3})
    other = ExitCounts(3, 1, {"motion_exit": 0, "fuse": 3}, {name: count // 2 for name, count in everything.items()})
    both = added([one, other])
    assert both == ExitCounts(6, 2, {"motion_exit": 3, "fuse": 3}, both.calls) and both.calls["motion"] == 6
    spent = 3 * 11 + 3 * 10 + 3 + 3 * 10 + 3 + 100 + 3 * 4
    assert both.saved(cost, stages) == pytest.approx(1 - spent / whole)
