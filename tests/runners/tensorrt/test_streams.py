"""Streams, graphs and buffers: stages run side by side, and no buffer is written while it is read."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runners.tensorrt.played_tensorrt import STAGES
from tests.runners.tensorrt.recorded_cuda import HOST
from tests.runners.tensorrt.running import prepared, runner_of, scores, walk


def test_each_stage_has_a_stream_and_waits_for_what_it_takes(played):
    with runner_of(played, cuda_graphs=False) as runner:
        scores(runner, [0])
        streams = dict(played.runs)
        assert len(set(streams.values())) == len(STAGES)
        waits = [call[1] for call in played.cuda.calls if call[0] == "wait"]
        assert waits.count(streams["fuse"]) == 4
        assert not {streams[stage] for stage in STAGES[:3]} & set(waits)
        flags = {call[2] for call in played.cuda.calls if call[0] == "Stream"}
        assert flags == {1}


@pytest.mark.parametrize("overlap", [True, False])
def test_without_overlap_each_launch_is_waited_for(played, overlap):
    seen = []
    with runner_of(played, overlap=overlap) as runner:
        for stage in STAGES[:3]:
            name = played.stages[stage].inputs[0].name
            runner.launch(stage, {name: prepared(0)[name]})
            stream, clock = played.runs[-1][1], played.cuda.clocks.of
            seen.append(clock[HOST].get(stream, 0) == clock[stream][stream])
    assert seen == [not overlap] * 3


def test_graphs_are_captured_after_a_plain_run_and_launched_from_then_on(played):
    with runner_of(played) as runner:
        scores(runner, range(4))
        assert played.cuda.names().count("begin capture") == len(STAGES)
        assert played.cuda.names().count("launch graph") == 3 * len(STAGES)
        assert {call[2] for call in played.cuda.calls if call[0] == "begin capture"} == {1}
        assert len(played.runs) == 4 * len(STAGES)
        executed = [name for name in played.fake.names if "execute_async" in name]
        assert len(executed) == 2 * len(STAGES)


def test_another_batch_drops_the_graph(played):
    with runner_of(played, max_batch=2) as runner:
        scores(runner, range(3))
        scores(runner, [0], batch=2)
        assert played.cuda.alive["graph"] == 0
        scores(runner, range(2), batch=2)
        assert played.cuda.alive["graph"] == len(STAGES)


def test_what_cannot_be_captured_is_launched_as_it_is(played, capsys):
    played.cuda.can_capture = False
    with runner_of(played) as runner:
        got = scores(runner, range(4))
    assert np.array_equal(got, scores(played.reference, range(4)))
    assert capsys.readouterr().err.count("no CUDA graph of it can be made") == len(STAGES)
    assert played.cuda.names().count("begin capture") == len(STAGES)


def test_without_a_driver_library_there_are_no_graphs(played, monkeypatch, capsys):
    def absent():
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr("edgecvar.runners.tensorrt.cuda.driver_library", absent)
    with runner_of(played) as runner:
        scores(runner, range(3))
    assert "no CUDA graphs: libcuda.so.1" in capsys.readouterr().err
    assert "begin capture" not in played.cuda.names()


def test_buffers_come_back_when_their_value_is_dropped(played):
    with runner_of(played) as runner:
        neighbour, allocated = None, []
        for seed in range(20):
            neighbour, value = walk(runner, seed, neighbour)
            runner.fetch(value)
            del value
            allocated.append(played.cuda.names().count("mem_alloc"))
    assert allocated[0] < allocated[1] == allocated[-1]


def test_a_value_is_good_while_it_is_held(played):
    with runner_of(played) as runner:
        held, _ = walk(runner, 0)
        expected = played.reference.launch("appearance", {"image": prepared(0)["image"]})
        for seed in range(1, 10):
            walk(runner, seed)
        assert np.array_equal(runner.fetch(held), expected)
