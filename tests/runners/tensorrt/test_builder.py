"""Building engines: what each generation of TensorRT is told, in order, and what is left when it fails."""

from __future__ import annotations

import signal

import pytest

from edgecvar.bundle.engines import read_engine, read_timings
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import BundleError, CompileError
from edgecvar.files import sha256_of
from edgecvar.runners.tensorrt.builder import build_engines
from tests.contracts.fake_tensorrt import RECORDED
from tests.runners.tensorrt.building import build_of, failing
from tests.runners.tensorrt.played_tensorrt import STAGES, sealed_again


def test_every_stage_is_built_and_kept(played, capsys):
    build = build_of(played, max_batch=4)
    folder = build_engines(build, "the bundle has none")
    assert folder == played.bundle.path / "engines" / f"{played.key}-fp16"
    root, hashes = played.bundle.path, {stage: sha256_of(build.file(stage)) for stage in STAGES}
    assert [read_engine(root, build.key, stage, hashes[stage])[1].decode() for stage in STAGES] == STAGES
    assert read_timings(played.bundle.path, "sm87", played.version) == b"timings"
    assert open_bundle(played.bundle.path).path == played.bundle.path
    said = capsys.readouterr()
    assert said.out == "" and all(f"{number}/4 {stage}" in said.err for number, stage in enumerate(STAGES, 1))
    assert "the bundle has none: building 4" in said.err


def test_the_order_of_calls(played):
    build_engines(build_of(played), "")
    for before, after in [
        ("Builder", "Builder.create_network"),
        ("Builder.create_network", "OnnxParser"),
        ("OnnxParser", "OnnxParser.parse"),
        ("OnnxParser.parse", "Builder.create_builder_config"),
        ("IOptimizationProfile.set_shape", "IBuilderConfig.add_optimization_profile"),
        ("IBuilderConfig.add_optimization_profile", "Builder.build_serialized_network"),
        ("IBuilderConfig.create_timing_cache", "IBuilderConfig.set_timing_cache"),
        ("IBuilderConfig.set_timing_cache", "Builder.build_serialized_network"),
        ("Builder.build_serialized_network", "ITimingCache.serialize"),
    ]:
        assert played.fake.names.index(before) < played.fake.names.index(after), (before, after)
    assert played.fake.names.count("Builder") == 1
    assert played.fake.names.count("Builder.build_serialized_network") == len(STAGES)


def test_one_profile_is_of_one_and_a_second_goes_up_to_the_largest_batch(played):
    build_engines(build_of(played, max_batch=4), "")
    shapes = [(call.arguments, call.named) for call in played.fake.of("IOptimizationProfile.set_shape")]
    assert shapes[0] == (("image", (1, 3, 32, 32), (1, 3, 32, 32), (1, 3, 32, 32)), {})
    assert shapes[1] == (("image", (1, 3, 32, 32), (4, 3, 32, 32), (4, 3, 32, 32)), {})
    assert [arguments[0] for arguments, _ in shapes[6:]] == 2 * ["appearance", "adjacent", "motion", "residual"]
    assert len(played.fake.of("IBuilderConfig.add_optimization_profile")) == 2 * len(STAGES)


def test_for_one_at_a_time_there_is_one_profile(played):
    build_engines(build_of(played), "")
    assert len(played.fake.of("IBuilderConfig.add_optimization_profile")) == len(STAGES)


def test_workspace_by_generation(played):
    build_engines(build_of(played, workspace_mib=64), "")
    if played.fake.surface.version == RECORDED:
        assert [call.arguments for call in played.fake.of("IBuilderConfig.max_workspace_size =")] == [(64 << 20,)] * 4
    else:
        pool = played.fake.module.MemoryPoolType.WORKSPACE
        sizes = [call.arguments for call in played.fake.of("IBuilderConfig.set_memory_pool_limit")]
        assert sizes == [(pool, 64 << 20)] * 4


def test_the_timing_cache_is_kept_and_given_again(played):
    build_engines(build_of(played), "")
    assert [call.arguments[0] for call in played.fake.of("IBuilderConfig.create_timing_cache")][:2] == [b"", b"timings"]
    played.fake.calls.clear()
    build_engines(build_of(played), "")
    assert played.fake.of("IBuilderConfig.create_timing_cache")[0].arguments == (b"timings",)
    assert played.fake.of("IBuilderConfig.set_timing_cache")[0].named == {"ignore_mismatch": False}


def test_a_timing_cache_of_another_device_is_left_behind(played):
    given = iter([False, True] + [True] * 3)
    played.fake.answers["IBuilderConfig.set_timing_cache"] = lambda *arguments, **named: next(given)
    build_engines(build_of(played), "")
    assert next(given, None) is None


def test_what_the_builder_says_is_kept(played):
    def build(builder, network, config):
        logger = played.fake.of("Builder")[0].arguments[0]
        logger.log(played.fake.module.ILogger.Severity.WARNING, f"tactics of {played.parsed}")
        logger.log(played.fake.module.ILogger.Severity.VERBOSE, "one of ten thousand tactics")
        return b"an engine"

    played.fake.answers["Builder.build_serialized_network"] = build
    folder = build_engines(build_of(played), "")
    log = (folder / "build.log").read_text()
    assert all(f"[WARNING] tactics of {stage}\n" in log for stage in STAGES)
    assert "ten thousand" not in log


def test_a_parse_error_names_the_node_and_leaves_nothing(played):
    played.fake.answers.update(
        {
            "OnnxParser.parse": False,
            "OnnxParser.num_errors": 1,
            "ParserError.node": 0,
            "ParserError.desc": "No importer registered for op: ReduceMean",
        }
    )
    error = failing(played, CompileError)
    assert "appearance.fp16.onnx" in error and "node 'mean' (ReduceMean)" in error and "no such operator" in error


def test_a_parser_that_gives_no_reason(played):
    played.fake.answers["OnnxParser.parse"] = False
    assert "TensorRT gave no reason" in failing(played, CompileError)


@pytest.mark.parametrize(
    ("said", "hint"),
    [("Cuda Runtime (out of memory)", "add swap"), ("Could not find any implementation", "--precision fp32")],
)
def test_a_build_that_fails_at_the_last_stage_leaves_nothing(played, said, hint):
    def build(builder, network, config):
        logger = played.fake.of("Builder")[0].arguments[0]
        if played.parsed != "fuse":
            return b"an engine"
        return logger.log(played.fake.module.ILogger.Severity.ERROR, said)

    played.fake.answers["Builder.build_serialized_network"] = build
    error = failing(played, CompileError)
    assert "fuse.fp16.onnx" in error and said in error and hint in error


def test_a_builder_that_does_not_start(played):
    def refuse(*arguments):
        raise TypeError("factory function returned nullptr")

    played.fake.answers["Builder"] = refuse
    assert "cannot start its builder" in failing(played, CompileError)


def test_a_profile_that_does_not_fit(played):
    played.fake.answers["IBuilderConfig.add_optimization_profile"] = -1
    assert "batches of 1 to 1 are not possible" in failing(played, CompileError)


def test_interrupted_at_the_second_stage(played):
    def build(builder, network, config):
        if played.parsed == "motion":
            raise KeyboardInterrupt
        return b"an engine"

    played.fake.answers["Builder.build_serialized_network"] = build
    with pytest.raises(KeyboardInterrupt):
        build_engines(build_of(played), "")
    assert not (played.bundle.path / "engines").exists()


def test_ctrl_c_that_tensorrt_swallows_stops_after_the_stage(played, capsys):
    def build(builder, network, config):
        logger = played.fake.of("Builder")[0].arguments[0]
        try:
            signal.raise_signal(signal.SIGINT)
            logger.log(played.fake.module.ILogger.Severity.INFO, "timing tactics")
        except KeyboardInterrupt:
            pass  # as the logger's C++ half does
        return b"an engine"

    played.fake.answers["Builder.build_serialized_network"] = build
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        build_engines(build_of(played), "")
    assert played.fake.names.count("Builder.build_serialized_network") == 1
    assert "stopping when this engine is built" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before
    assert not (played.bundle.path / "engines").exists()


def test_a_stage_that_is_no_onnx_file(played, monkeypatch):
    file = played.bundle.stage_file("appearance", "fp16")
    file.write_bytes(b"\xff\xff")
    assert "changed since it was compiled" in failing(played, BundleError)
    played.bundle = sealed_again(played.bundle)
    assert "not an ONNX file" in failing(played, CompileError)


def test_a_bundle_that_cannot_be_written_is_refused_before_anything_is_built(played, monkeypatch):
    monkeypatch.setattr("edgecvar.bundle.engines.os.access", lambda path, mode: False)
    assert "copy the bundle to a folder of yours" in failing(played, BundleError)
    assert played.fake.calls == []


def test_a_bundle_without_the_precision(played):
    assert "no int8 file" in failing(played, BundleError, precision="int8")
