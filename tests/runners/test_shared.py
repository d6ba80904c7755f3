"""Several streams on one runner: batches that give each what it would get alone, its turn, and its own errors."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.bundle.plan import plan_stages
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.clock import NoClock
from edgecvar.clips.messages import SampledPicture
from edgecvar.errors import BundleError
from edgecvar.run.walk import StageWalk
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.runners.runner import History, Step, as_array
from edgecvar.runners.shared import SharedRunner
from tests.tiny_bundle import tiny_bundle, tiny_clip_bundle, tiny_state_bundle

STREAMS = 5
PATIENT = 0.5
"""A deadline within which every stream of a test launches."""


def one_of_each(folder):
    return {
        "kept features": open_bundle(tiny_bundle(folder)),
        "history": open_bundle(tiny_clip_bundle(folder, 3)),
        "state": open_bundle(tiny_state_bundle(folder)),
    }


def nobody_else():
    """What a stream that is alone waits for after its first picture."""


def all_known():
    """The same of STREAMS streams: until each has launched once, and so knows of the others."""
    known = threading.Barrier(STREAMS)
    return partial(known.wait, 10)


def walked(bundle, runner, seed, others=nobody_else, pictures=6):
    """The scores of a stream of made-up pictures, of which every third begins a window."""
    random = np.random.default_rng(seed)
    stages = bundle.manifest.stages
    walk = StageWalk(plan_stages(stages), runner, NoClock())
    shapes = {"motion": (2, 32, 32), "residual": (3, 32, 32)}
    scores, appearance = [], None
    for place in range(pictures):
        if place % 3 == 0:
            before, appearance = appearance, Appearance(place, random.normal(size=(3, 32, 32)).astype(np.float32))
        inputs = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        sampled = SampledPicture(place, place, 0.0, 0, 0.0, inputs, appearance, None)
        scores.append(walk.scores(walk.finish(walk.start(sampled), before or appearance)))
        if place == 0:
            others()
    return np.stack(scores)


class Gate:
    """A runner that keeps launches until it is opened, and notes each as it goes through."""

    name = "gate"

    def __init__(self):
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None

    def launch(self, stage, inputs):
        self.entered.set()
        assert self.opened.wait(10)
        rows = as_array(inputs["value"])
        self.seen.append((stage, rows[:, 0].tolist()))
        if (rows < 0).any():
            raise BundleError(f"stage {stage}: a negative number")
        return rows * 2

    def fetch(self, value):
        return value


def row(number):
    return {"value": np.full((1, 1), number, np.float32)}


class Waiting:
    """Launches that are held up by the gate, in the order in which they came."""

    def __init__(self, max_batch):
        self.gate = Gate()
        self.shared = SharedRunner(self.gate, max_batch, deadline=0.0)
        self.pool = ThreadPoolExecutor(16)
        self.futures = [self.pool.submit(self.shared.launch, "first", row(0))]
        assert self.gate.entered.wait(10)

    def launch(self, stage, number):
        count = len(self.shared._waiting)
        self.futures.append(self.pool.submit(self.shared.launch, stage, row(number)))
        while len(self.shared._waiting) == count:
            threading.Event().wait(0.001)

    def results(self):
        self.gate.opened.set()
        self.pool.shutdown()
        return [each.exception() or float(each.result()[0, 0]) for each in self.futures]


def at_once(shared, *inputs):
    """What streams get that launch at the same time, and know of each other."""
    known = threading.Barrier(len(inputs))

    def launch(given):
        shared.launch("look", given)
        known.wait(10)
        return shared.launch("look", given)

    with ThreadPoolExecutor(len(inputs)) as pool:
        return list(pool.map(launch, inputs))


@pytest.mark.parametrize("kind", ["kept features", "history"])
def test_each_gets_what_it_gets_alone(tmp_path, kind):
    bundle = one_of_each(tmp_path)[kind]
    with OnnxRunner(bundle, threads=1) as runner:
        alone = [walked(bundle, runner, seed) for seed in range(STREAMS)]
        shared = SharedRunner(runner, max_batch=3, deadline=PATIENT)
        with ThreadPoolExecutor(STREAMS) as pool:
            known = all_known()
            together = list(pool.map(lambda seed: walked(bundle, shared, seed, known), range(STREAMS)))
    assert np.ptp(alone, axis=0).max() > 0.1  # the streams are told apart
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert 1 < max(shared.sizes) <= 3


def test_state_is_each_streams_own(tmp_path):
    bundle = one_of_each(tmp_path)["state"]

    def remembered(runner, seed, others=nobody_else):
        random, state, scores = np.random.default_rng(seed), None, []
        for place in range(6):
            moves = {"moves": random.normal(size=(1, 2)).astype(np.float32)}
            step = runner.launch(
                "recall", {**moves, **(state or dict.fromkeys(("before", "sum"), np.zeros((1, 2), "f4")))}
            )
            assert isinstance(step, Step)
            state = step.state
            scores.append(runner.fetch(step.output)[0])
            if place == 0:
                others()
        return scores

    with OnnxRunner(bundle, threads=1) as runner:
        alone = [remembered(runner, seed) for seed in range(STREAMS)]
        shared = SharedRunner(runner, deadline=PATIENT)
        with ThreadPoolExecutor(STREAMS) as pool:
            known = all_known()
            together = list(pool.map(lambda seed: remembered(shared, seed, known), range(STREAMS)))
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert max(shared.sizes) > 1


def test_what_waits_goes_through_as_one_batch_up_to_the_largest():
    waiting = Waiting(max_batch=4)
    for number in range(1, 7):
        waiting.launch("look", number)
    assert waiting.results() == [0, 2, 4, 6, 8, 10, 12]
    assert waiting.gate.seen == [("first", [0]), ("look", [1, 2, 3, 4]), ("look", [5, 6])]
    assert waiting.shared.sizes == {1: 1, 4: 1, 2: 1}


def test_the_oldest_launch_is_next_and_takes_its_like_along():
    waiting = Waiting(max_batch=8)
    for stage, number in [("look", 1), ("fuse", 2), ("look", 3), ("fuse", 4), ("sum", 5)]:
        waiting.launch(stage, number)
    waiting.results()
    assert waiting.gate.seen[1:] == [("look", [1, 3]), ("fuse", [2, 4]), ("sum", [5])]


def test_one_by_one_they_are_served_in_the_order_in_which_they_came():
    waiting = Waiting(max_batch=1)
    for number in range(1, 7):
        waiting.launch("look", number)
    waiting.results()
    assert waiting.gate.seen[1:] == [("look", [number]) for number in range(1, 7)]


def test_an_error_is_its_own_streams_alone():
    waiting = Waiting(max_batch=4)
    for number in (1, -1, 3):
        waiting.launch("look", number)
    first, one, bad, three = waiting.results()
    assert (first, one, three) == (0, 2, 6)
    assert isinstance(bad, BundleError)


def test_inputs_that_fit_no_batch_go_alone():
    gate = Gate()
    gate.opened.set()
    shared = SharedRunner(gate, deadline=PATIENT)
    wide = {"value": np.ones((1, 2), np.float32)}
    assert [each.tolist() for each in at_once(shared, row(1), wide)] == [[[2.0]], [[2.0, 2.0]]]
    assert 2 in shared.sizes


def test_a_stream_that_stopped_holds_nobody():
    gate = Gate()
    gate.opened.set()
    shared = SharedRunner(gate, deadline=0.01)
    with ThreadPoolExecutor(1) as other:
        other.submit(shared.launch, "look", row(1)).result()
        assert [float(shared.launch("look", row(number))[0, 0]) for number in range(20)] == list(range(0, 40, 2))
    assert shared.sizes == {1: 21}


def test_an_only_stream_is_kept_waiting_for_nobody():
    gate = Gate()
    gate.opened.set()
    shared = SharedRunner(gate, deadline=3600.0)
    assert float(shared.launch("look", row(3))[0, 0]) == 6


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_who_is_interrupted_leaves_the_others_their_turn(kind):
    class Interrupted(Gate):
        def launch(self, stage, inputs):
            if stage == "first":
                super().launch(stage, inputs)
                raise kind
            return super().launch(stage, inputs)

    waiting = Waiting.__new__(Waiting)
    waiting.gate = Interrupted()
    waiting.shared = SharedRunner(waiting.gate, 2, deadline=0.0)
    waiting.pool = ThreadPoolExecutor(8)
    waiting.futures = [waiting.pool.submit(waiting.shared.launch, "first", row(0))]
    assert waiting.gate.entered.wait(10)
    for number in (1, 2, 3):
        waiting.launch("look", number)
    first, *others = waiting.results()
    assert isinstance(first, kind)
    assert others == [2, 4, 6]


def test_histories_of_a_batch_are_side_by_side():
    values = [
        History(tuple(np.full((1, 2), 10 * stream + place, np.float32) for place in range(3))) for stream in (1, 2)
    ]

    class Seen(Gate):
        def launch(self, stage, inputs):
            self.array = as_array(inputs["clip"])
            return self.array[:, 0]

    seen = Seen()
    shared = SharedRunner(seen, deadline=PATIENT)
    launched = at_once(shared, *({"clip": value} for value in values))
    assert [each[0, 0] for each in launched] == [10, 20]
    assert seen.array.shape == (2, 3, 2)
