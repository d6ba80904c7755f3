"""Launches of several streams as one on the device: what each gave lies in one buffer, and goes on from there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from edgecvar.errors import BundleError
from edgecvar.run.loaded import RunnerInTurns
from edgecvar.runners.runner import Gathered, History, fetched, part_of
from edgecvar.runners.shared import SharedRunner
from tests.contracts.fake_tensorrt import RECORDED
from tests.runners.tensorrt.played_tensorrt import EACH_VERSION, PlayedTensorRt, with_precision
from tests.runners.tensorrt.running import prepared, runner_of, scores
from tests.tiny_bundle import tiny_clip_bundle, tiny_state_bundle

BUNDLES = {"history": lambda folder: tiny_clip_bundle(folder, 3), "state": tiny_state_bundle}


@pytest.fixture(params=EACH_VERSION)
def playing(request, tmp_path, monkeypatch):
    made = []

    def play(kind):
        made.append(PlayedTensorRt(request.param, with_precision(BUNDLES[kind](tmp_path), "fp16"), monkeypatch))
        return made[0]

    yield play
    for played in made:
        assert played.cuda.clocks.races == []
        assert played.cuda.alive["memory"] == played.cuda.alive["graph"] == played.cuda.current == 0


def together(runner, stage, streams):
    """A launch of all streams as one; what each of them gets."""
    gathered = {name: Gathered(tuple(each[name] for each in streams)) for name in streams[0]}
    launched = runner.launch(stage, gathered)
    return [part_of(launched, place, 1) for place in range(len(streams))]


def test_states_go_on_in_the_buffer_that_they_share(playing):
    played = playing("state")
    moves = np.random.default_rng(0).normal(size=(5, 3, 1, 2)).astype(np.float32)
    new = dict.fromkeys(("before", "sum"), np.zeros((1, 2), np.float32))

    def remembered(runner, launch):
        states, seen = [new] * 3, []
        for turn in moves:
            # One begins anew, from arrays, beside others whose state is on the device.
            states[1] = new if len(seen) == 2 else states[1]
            steps = launch(runner, "recall", [{"moves": turn[place], **states[place]} for place in range(3)])
            states = [step.state for step in steps]
            seen.append([fetched(runner, step).output for step in steps])
        return np.array(seen)

    def one_by_one(runner, stage, streams):
        return [runner.launch(stage, each) for each in streams]

    with runner_of(played, max_batch=4) as runner:
        got = remembered(runner, together)
        assert [stage for stage, _ in played.runs] == ["recall"] * 5
    assert np.allclose(got, remembered(played.reference, one_by_one), atol=1e-6)


def test_histories_of_several_streams_are_side_by_side(playing):
    played = playing("history")
    fields = [[{"field": prepared(10 * stream + seed)["motion"]} for stream in range(2)] for seed in range(3)]
    with runner_of(played, max_batch=2) as runner:
        newest = [together(runner, "motion", turn) for turn in fields]
        histories = [History(tuple(turn[stream] for turn in newest)) for stream in range(2)]
        drifts = together(runner, "drift", [{"moves": history} for history in histories])
        got = [runner.fetch(drift) for drift in drifts]
    for stream in range(2):
        moves = History(tuple(played.reference.launch("motion", turn[stream]) for turn in fields))
        assert np.allclose(got[stream], played.reference.launch("drift", {"moves": moves}), atol=1e-6)


def test_a_part_keeps_the_buffer_that_it_is_in(playing):
    played = playing("history")
    with runner_of(played, max_batch=2) as runner:
        kept = together(runner, "motion", [{"field": prepared(seed)["motion"]} for seed in range(2)])[1]
        for seed in range(2, 8):
            runner.launch("motion", {"field": prepared(seed)["motion"]})
        expected = played.reference.launch("motion", {"field": prepared(1)["motion"]})
        assert np.array_equal(runner.fetch(kept), expected)


def test_gathered_inputs_that_are_not_the_stages_are_refused(playing):
    played = playing("history")
    narrow = np.zeros((1, 2, 16, 32), np.float32)
    with runner_of(played, max_batch=2) as runner:
        for values, message in [
            (
                (prepared(0)["motion"], narrow),
                "input field is float32 (1, 2, 16, 32), expected float32 B x (2, 32, 32)",
            ),
            (tuple(prepared(seed)["motion"] for seed in range(3)), "3 at once, expected one batch of 1 to 2"),
        ]:
            with pytest.raises(BundleError) as caught:
                runner.launch("motion", {"field": Gathered(values)})
            assert message in str(caught.value)


def test_one_alone_and_several_have_a_profile_each(played):
    with runner_of(played, max_batch=3) as runner:
        for batch in (1, 2, 3, 1, 1):
            assert np.array_equal(scores(runner, [0], batch), scores(played.reference, [0], batch))
        asked = [call.arguments[0] for call in played.fake.of("IExecutionContext.set_optimization_profile_async")]
    stages = len(played.stages)
    assert asked == [1] * stages + [0] * stages
    named = "set_binding_shape" if played.fake.surface.version == RECORDED else "set_input_shape"
    assert f"IExecutionContext.{named}" in played.fake.names


def test_a_profile_that_cannot_be_had_is_an_error(played):
    played.fake.answers["IExecutionContext.set_optimization_profile_async"] = False
    with runner_of(played, max_batch=2) as runner, pytest.raises(Exception, match="does not turn to its profile 1"):
        scores(runner, [0], batch=2)


def test_streams_share_a_device(playing):
    played = playing("history")

    began = Barrier(4)

    def moved(runner, seed):
        field = {"field": prepared(seed)["motion"]}
        began.wait(20)
        return [runner.fetch(runner.launch("motion", field)) for _ in range(3)]

    with SharedRunner(RunnerInTurns(runner_of(played, max_batch=4)), max_batch=4, deadline=0.3) as shared:
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda seed: moved(shared, seed), range(4)))
        assert max(shared.sizes) > 1
    for seed in range(4):
        assert np.allclose(got[seed], played.reference.launch("motion", {"field": prepared(seed)["motion"]}))
