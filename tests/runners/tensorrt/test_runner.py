"""Running engines: what each generation is told, that no buffer is written while it is read, and every failure."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from edgecvar.bundle.plan import plan_stages
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.clock import NoClock
from edgecvar.clips.feed import SampledPicture
from edgecvar.errors import BundleError, DeviceError, EdgecvarError
from edgecvar.run.walk import StageWalk
from edgecvar.runners.runner import History, run_stage
from edgecvar.runners.tensorrt.options import TensorRtOptions
from edgecvar.runners.tensorrt.runner import TensorRtRunner
from tests.contracts.fake_tensorrt import RECORDED
from tests.runners.tensorrt.played_tensorrt import EACH_VERSION, PlayedTensorRt, with_precision
from tests.runners.tensorrt.recorded_cuda import HOST, Error, MemoryError_
from tests.tiny_bundle import tiny_bundle, tiny_clip_bundle

STAGES = ["appearance", "motion", "residual", "fuse"]
SHAPES = {"image": (3, 32, 32), "motion": (2, 32, 32), "residual": (3, 32, 32)}


@pytest.fixture(params=EACH_VERSION)
def played(request, tmp_path, monkeypatch):
    played = PlayedTensorRt(request.param, with_precision(tiny_bundle(tmp_path), "fp16"), monkeypatch)
    yield played
    assert played.cuda.clocks.races == []
    assert played.cuda.current == 0
    assert played.cuda.alive["memory"] == played.cuda.alive["graph"] == played.cuda.current == 0


def runner_of(played, **options):
    return TensorRtRunner(played.bundle, TensorRtOptions(**{"precision": "fp16", **options}))


def prepared(seed, batch=1):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=(batch, *shape)).astype(np.float32) for name, shape in SHAPES.items()}


def walk(runner, seed, neighbour=None, batch=1):
    """One picture as StageWalk walks it: its appearance, for the next one, and what its scores will be."""
    inputs = prepared(seed, batch)
    appearance = runner.launch("appearance", {"image": inputs["image"]})
    motion = runner.launch("motion", {"motion": inputs["motion"]})
    residual = runner.launch("residual", {"residual": inputs["residual"]})
    adjacent = appearance if neighbour is None else neighbour
    fused = {"appearance": appearance, "adjacent": adjacent, "motion": motion, "residual": residual}
    return appearance, runner.launch("fuse", fused)


def scores(runner, seeds, batch=1):
    """The scores of pictures in a row, all launched before the first one is fetched."""
    neighbour, values = None, []
    for seed in seeds:
        neighbour, value = walk(runner, seed, neighbour, batch)
        values.append(value)
    return [runner.fetch(value) for value in values]


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
            yield stage_walk.finish(stage_walk.start(sampled), adjacent)

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


@pytest.mark.parametrize(
    ("answer", "bindings", "message"),
    [
        ("Runtime.deserialize_cuda_engine", "", "cannot load it"),
        ("ICudaEngine.create_execution_context", "", "cannot be run"),
        ("IExecutionContext.set_input_shape", "IExecutionContext.set_binding_shape", "does not take input"),
        ("IExecutionContext.execute_async_v3", "IExecutionContext.execute_async_v2", "was not run"),
    ],
)
def test_what_tensorrt_refuses_is_one_error(played, answer, bindings, message):
    recorded = played.fake.surface.version == RECORDED
    name = bindings if recorded and bindings else answer
    played.fake.answers[name] = lambda *arguments, **named: False if bindings else None
    error = failing(played, DeviceError)
    assert message in error and "appearance.engine" in error and "run again" in error


def test_an_address_that_tensorrt_refuses_is_one_error(played):
    if played.fake.surface.version != RECORDED:
        played.fake.answers["IExecutionContext.set_tensor_address"] = False
        assert "does not take the addresses" in failing(played, DeviceError)


@pytest.mark.parametrize(
    ("call", "message"),
    [("Stream", "loading"), ("htod", "stage appearance"), ("dtod", "stage appearance"), ("synchronize", "stage")],
)
@pytest.mark.parametrize("kind", [Error, MemoryError_])
def test_what_cuda_refuses_is_one_error(played, call, message, kind):
    with runner_of(played):
        pass
    played.cuda.fail[call] = kind("cuSomething failed: an illegal memory access was encountered")
    error = failing(played, DeviceError)
    assert message in error and ("out of device memory" in error) == (kind is MemoryError_)


def test_memory_that_runs_out_half_way_is_given_back(played):
    with runner_of(played):
        pass
    given = iter(range(7))
    note = played.cuda.note

    def limited(name, *details):
        if name == "mem_alloc" and next(given, None) is None:
            raise MemoryError_("cuMemAlloc failed: out of memory")
        note(name, *details)

    played.cuda.note = limited
    assert "out of device memory" in failing(played, DeviceError)


def test_a_changed_engine_is_never_deserialised(played):
    with runner_of(played):
        pass
    played.fake.calls.clear()
    engine = played.bundle.path / "engines" / f"{played.key}-fp16" / "motion.engine"
    engine.write_bytes(b"appearance")
    assert "motion.engine: changed since" in failing(played, BundleError)
    assert b"appearance" not in [call.arguments[0] for call in played.fake.of("Runtime.deserialize_cuda_engine")[1:]]


def test_an_engine_of_other_tensors_is_refused(played):
    with runner_of(played):
        pass
    deserialise = played.fake.answers["Runtime.deserialize_cuda_engine"]
    for tensors, message in [
        ([("motion", [2], False), ("flow", [2, 32, 32], True)], "inputs flow, but the manifest says image"),
        ([("motion", [3], False), ("image", [3, 16, 32], True)], "image is [-1, 3, 16, 32] of float32"),
        ([("motion", [4], False), ("image", [3, 32, 32], True)], "motion is [-1, 4]"),
        ([("a", [3], False), ("b", [3], False), ("image", [3, 32, 32], True)], "2 outputs, expected one"),
    ]:
        played.fake.answers["Runtime.deserialize_cuda_engine"] = lambda this, plan, of=tensors: played.tag(
            deserialise(this, plan), tensors=of
        )
        assert message in failing(played, BundleError)


def test_inputs_that_are_not_the_stages_are_refused(played):
    inputs = prepared(0, 2)
    with runner_of(played) as runner:
        for given, message in [
            ({"motion": inputs["motion"][:1]}, "inputs motion, expected image"),
            ({"image": inputs["motion"][:1]}, "input image is float32 (1, 2, 32, 32)"),
            ({"image": inputs["image"][:1].astype(np.float64)}, "input image is float64"),
            ({"image": inputs["image"]}, "2 at once, expected one batch of 1 to 1"),
            ({"image": runner.launch("motion", {"motion": inputs["motion"][:1]})}, "the output of motion"),
        ]:
            with pytest.raises(BundleError) as caught:
                runner.launch("appearance", given)
            assert message in str(caught.value)


@pytest.fixture(params=EACH_VERSION)
def played_clips(request, tmp_path, monkeypatch):
    played = PlayedTensorRt(request.param, with_precision(tiny_clip_bundle(tmp_path, 3), "fp16"), monkeypatch)
    yield played
    assert played.cuda.clocks.races == []
    assert played.cuda.alive["memory"] == played.cuda.alive["graph"] == played.cuda.current == 0


@pytest.mark.parametrize("options", [{}, {"overlap": False}, {"cuda_graphs": False}])
def test_clips_of_a_stages_outputs_stay_on_the_device(played_clips, options):
    def walked(runner):
        stage_walk = StageWalk(plan_stages(played_clips.bundle.manifest.stages), runner, NoClock())
        appearance = Appearance(0, None)
        for picture in range(7):
            inputs = {name: prepared(picture)[name][0] for name in ("motion", "residual")}
            sampled = SampledPicture(picture, picture, 0.0, 0, 0.0, inputs, appearance, None)
            yield stage_walk.finish(stage_walk.start(sampled), appearance)

    with runner_of(played_clips, **options) as runner:
        got = list(walked(runner))
        downloads = [call for call in played_clips.cuda.calls if call[0] == "dtoh"]
    assert np.array_equal(got, list(walked(played_clips.reference)))
    assert len(downloads) == 7  # the scores alone


def test_clips_of_a_batch_are_put_side_by_side(played_clips):
    def launched(runner, batch):
        inputs = [prepared(seed, batch) for seed in range(3)]
        motion = History(tuple(runner.launch("motion", {"field": each["motion"]}) for each in inputs))
        residual = np.stack([each["residual"] for each in inputs], axis=1)
        mean = runner.launch("drift", {"moves": motion})
        return runner.fetch(runner.launch("clip", {"motion": motion, "residual": residual, "mean": mean}))

    with runner_of(played_clips, max_batch=3) as runner:
        for batch in (1, 3, 2, 3, 3):
            assert np.array_equal(launched(runner, batch), launched(played_clips.reference, batch))


def test_a_clip_is_not_written_over_while_it_is_read(played_clips):
    """All is launched before anything is fetched, and each value dropped as soon as the clips have passed it."""

    def launched(runner):
        newest, values = [], []
        for seed in range(9):
            newest = [*newest[-2:], runner.launch("motion", {"field": prepared(seed)["motion"]})]
            history = History((*[newest[0]] * (3 - len(newest)), *newest))
            values.append(runner.launch("drift", {"moves": history}))
            newest = newest[-2:]
            del history
        return [runner.fetch(value) for value in values]

    with runner_of(played_clips) as runner:
        got = launched(runner)
    assert np.array_equal(got, launched(played_clips.reference))


def test_clips_that_are_not_the_stages_are_refused(played_clips):
    with runner_of(played_clips, max_batch=2) as runner:
        one, two = (runner.launch("motion", {"field": prepared(0, batch)["motion"]}) for batch in (1, 2))
        for values, message in [
            ((one, one), "input moves is 2 of the output of motion, expected float32 B x (3, 2)"),
            ((one, one, two), "1, 2 at once"),
        ]:
            with pytest.raises(BundleError) as caught:
                runner.launch("drift", {"moves": History(values)})
            assert message in str(caught.value)


def test_a_runner_that_was_left_says_so(played):
    runner = runner_of(played)
    with pytest.raises(DeviceError, match="outside its `with` block"):
        runner.launch("motion", {})
    with runner:
        value = runner.launch("motion", {"motion": prepared(0)["motion"]})
    with pytest.raises(DeviceError, match="outside its `with` block"):
        runner.fetch(value)


def test_the_primary_context_is_retained_once_and_never_left_current(played):
    for _ in range(2):
        with runner_of(played):
            assert played.cuda.current == 0
        assert played.cuda.current == 0
    left = threading.Thread(target=runner_of(played).__enter__().__exit__)
    left.start()
    left.join()
    assert played.cuda.names().count("retain") == 1 and played.cuda.current == 0


def test_an_error_in_the_block_is_the_one_that_is_seen(played):
    with pytest.raises(ZeroDivisionError), runner_of(played):
        played.cuda.fail["synchronize"] = Error("cuStreamSynchronize failed: unspecified launch failure")
        raise ZeroDivisionError


@pytest.mark.parametrize(("package", "hint"), [("tensorrt", "JetPack"), ("pycuda.driver", "pip install")])
def test_a_package_that_is_missing_is_named(played, monkeypatch, package, hint):
    monkeypatch.setitem(sys.modules, package, None)
    error = failing(played, DeviceError)
    assert package.split(".")[0].lower() in error.lower() and hint in error


def test_a_runtime_that_does_not_start(played):
    with runner_of(played):
        pass

    def refuse(*arguments):
        raise TypeError("factory function returned nullptr")

    played.fake.answers["Runtime"] = refuse
    assert "cannot start" in failing(played, DeviceError)


def test_engines_of_a_larger_gpu_are_built_anew(played, capsys):
    with runner_of(played):
        pass
    capsys.readouterr()
    played.cuda.driver.Device.get_attribute = lambda device, attribute: 16
    with runner_of(played):
        pass
    assert "was made for another GPU" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["7.1.3", "8.2.0.6"])
def test_a_version_that_is_too_old(played, monkeypatch, version):
    monkeypatch.setattr(played.fake.module, "__version__", version)
    assert f"{version} is too old" in failing(played, DeviceError)


def test_engines_of_torch2trt_are_not_built_by_running(played):
    assert "--converter torch2trt" in failing(played, BundleError, converter="torch2trt")


def failing(played, kind, **options):
    """The one line of what entering a runner and running a stage of it raise."""
    with pytest.raises(EdgecvarError) as caught, runner_of(played, **options) as runner:
        run_stage(runner, "appearance", {"image": prepared(0)["image"]})
    assert isinstance(caught.value, kind)
    assert "\n" not in str(caught.value)
    return str(caught.value)
