"""Running engines: what each generation is told, and what comes back."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edgecvar.bundle.plan import plan_stages
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.clock import NoClock
from edgecvar.clips.messages import SampledPicture
from edgecvar.run.walk import StageWalk
from edgecvar.runners.runner import run_stage
from tests.contracts.fake_tensorrt import RECORDED
from tests.runners.tensorrt.played_tensorrt import STAGES
from tests.runners.tensorrt.running import prepared, runner_of, scores


def test_building_a_runner_touches_no_device(played):
    runner = runner_of(played)
    assert runner.name == "tensorrt-fp16"
    assert played.cuda.calls == [] and played.fake.calls == []


@pytest.mark.parametrize("options", [{}, {"overlap": False}, {"cuda_graphs": False}])
def test_what_comes_back_is_what_the_stages_compute(played, options):
    with runner_of(played, **options) as runner:
        got = scores(runner, range(6))
    assert np.array_equal(got, scores(played.reference, range(6)))
    assert runner.name == f"tensorrt-{'.'.join(played.version.split('.')[:2])}-sm87-fp16"


def test_a_walk_over_the_stages_gives_the_same_scores(played):
    def walked(runner):
        stage_walk = StageWalk(plan_stages(played.bundle.manifest.stages), runner, NoClock())
        images = [prepared(seed)["image"][0] for seed in range(4)]
        appearances = [Appearance(index, image) for index, image in enumerate(images)]
        for picture in range(12):
            window = picture // 3
            inputs = {name: prepared(picture)[name][0] for name in ("motion", "residual")}
            adjacent = appearances[window - 1 if window else 1]
            sampled = SampledPicture(picture, picture, 0.0, window, 0.0, inputs, appearances[window], adjacent)
            yield stage_walk.scores(stage_walk.finish(stage_walk.start(sampled), adjacent))

    with runner_of(played) as runner:
        got = list(walked(runner))
    assert np.array_equal(got, list(walked(played.reference)))


def test_batches_may_change_from_launch_to_launch(played):
    with runner_of(played, max_batch=3) as runner:
        for batch in (1, 3, 3, 3, 2, 3):
            assert np.array_equal(scores(runner, [batch], batch), scores(played.reference, [batch], batch))


def test_engines_are_built_once(played, capsys):
    with runner_of(played):
        pass
    assert "the bundle has no engines for" in capsys.readouterr().err
    built = played.fake.names.count("Builder.build_serialized_network")
    with runner_of(played) as runner:
        assert run_stage(runner, "motion", {"motion": prepared(0)["motion"]}).shape == (1, 2)
    assert built == played.fake.names.count("Builder.build_serialized_network") == len(STAGES)
    assert capsys.readouterr().err == ""


def test_the_calls_of_a_generation(played):
    with runner_of(played, cuda_graphs=False) as runner:
        run_stage(runner, "fuse", {name: np.ones((1, size), np.float32) for name, size in FUSED.items()})
        fuse = runner._stages["fuse"].memory
        addresses = dict(fuse.addresses)
        stream = next(call[1] for call in played.cuda.calls if call[0] == "dtod")
    if played.fake.surface.version == RECORDED:
        (call,) = played.fake.of("IExecutionContext.execute_async_v2")
        assert call.named == {
            "bindings": [addresses[name] for name in ["output of fuse", *FUSED]],
            "stream_handle": stream,
        }
        shapes = [call.arguments for call in played.fake.of("IExecutionContext.set_binding_shape")]
        assert shapes == [(index, (1, size)) for index, size in enumerate(FUSED.values(), 1)]
    else:
        (call,) = played.fake.of("IExecutionContext.execute_async_v3")
        assert call.named == {"stream_handle": stream}
        told = {call.arguments for call in played.fake.of("IExecutionContext.set_tensor_address")}
        assert set(addresses.items()) <= told and len(told) == 3 * 2 + len(addresses)
        shapes = [call.arguments for call in played.fake.of("IExecutionContext.set_input_shape")]
        assert shapes == [(name, (1, size)) for name, size in FUSED.items()]
        before = played.fake.names.index("IExecutionContext.set_tensor_address")
        assert before < played.fake.names.index("IExecutionContext.execute_async_v3")


FUSED = {"appearance": 3, "adjacent": 3, "motion": 2, "residual": 3}


def test_the_primary_context_is_retained_once_and_never_left_current(played):
    for _ in range(2):
        with runner_of(played):
            assert played.cuda.current == 0
        assert played.cuda.current == 0
    left = threading.Thread(target=runner_of(played).__enter__().__exit__)
    left.start()
    left.join()
    assert played.cuda.names().count("retain") == 1 and played.cuda.current == 0


def test_engines_of_a_larger_gpu_are_built_anew(played, capsys):
    with runner_of(played):
        pass
    capsys.readouterr()
    played.cuda.driver.Device.get_attribute = lambda device, attribute: 16
    with runner_of(played):
        pass
    assert "was made for another GPU" in capsys.readouterr().err
