"""Building engines: what each generation of TensorRT is told, in order, and what is left when it fails."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from edgecvar.bundle.engines import EngineKey, FolderIndex, read_engine, read_timings
from edgecvar.bundle.hashes import sha256_of
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import BundleError, CompileError, ConfigError
from edgecvar.runners.tensorrt.api import generation_of
from edgecvar.runners.tensorrt.builder import build_engines
from edgecvar.runners.tensorrt.options import Build, TensorRtOptions
from tests.contracts.fake_tensorrt import RECORDED
from tests.runners.tensorrt.played_tensorrt import EACH_VERSION, Layer, PlayedTensorRt, with_precision
from tests.tiny_bundle import tiny_bundle

STAGES = ["appearance", "motion", "residual", "fuse"]
WEAK = {"8.2", "8.5"}


@pytest.fixture(params=EACH_VERSION)
def played(request, tmp_path, monkeypatch):
    return PlayedTensorRt(request.param, with_precision(tiny_bundle(tmp_path), "fp16"), monkeypatch)


def build_of(played, **options):
    chosen = TensorRtOptions(**{"precision": "fp16", **options})
    gpu = "Orin, 8 multiprocessors"
    key = EngineKey(sm="sm87", gpu=gpu, tensorrt=played.version, precision=chosen.precision, dla=chosen.dla)
    return Build(played.bundle, key, chosen)


def test_every_stage_is_built_and_kept(played, capsys):
    build = build_of(played, max_batch=4)
    folder = build_engines(build, "the bundle has none")
    assert folder == played.bundle.path / "engines" / f"{played.key}-fp16"
    assert [read_engine(played.bundle.path, build.key, stage)[1].decode() for stage in STAGES] == STAGES
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


def test_profiles_go_from_one_to_the_largest_batch(played):
    build_engines(build_of(played, max_batch=4), "")
    shapes = [(call.arguments, call.named) for call in played.fake.of("IOptimizationProfile.set_shape")]
    assert shapes[0] == (("image", (1, 3, 32, 32), (4, 3, 32, 32), (4, 3, 32, 32)), {})
    assert [arguments[0] for arguments, _ in shapes[3:]] == ["appearance", "adjacent", "motion", "residual"]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_precision_by_generation(played, precision):
    if precision == "int8":
        played.bundle = with_precision(played.bundle.path, "int8")
    build_engines(build_of(played, precision=precision), "")
    generation = generation_of(played.version)
    enum = played.fake.module
    flags = [call.arguments[0] for call in played.fake.of("Builder.create_network")]
    weak = generation in WEAK or (generation == "10" and precision == "int8")
    if weak:
        assert set(flags) == {1 << int(enum.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)}
    elif generation == "10":
        assert set(flags) == {1 << int(enum.NetworkDefinitionCreationFlag.STRONGLY_TYPED)}
    else:
        assert set(flags) == {0}
    obey = "OBEY_PRECISION_CONSTRAINTS"
    wanted = {"fp32": [], "fp16": ["FP16", obey], "int8": ["FP16", "INT8", obey]}[precision]
    assert played.flags == (wanted * len(STAGES) if weak else [])
    # Only the fp32 island: no cast, nothing in fp16 (or that would be in the fp16 file), nothing beside Q/DQ.
    pinned = [call.owner.played_spec.name for call in played.fake.of("ILayer.precision =")]
    expected = ["mean square"] * len(STAGES) if weak and precision != "fp32" else []
    assert pinned == expected
    assert [call.arguments for call in played.fake.of("ILayer.set_output_type")] == [
        (0, enum.DataType.FLOAT) for _ in expected
    ]


def test_wide_layers_are_known_by_their_node_whatever_number_the_parser_gives(played, monkeypatch):
    played.bundle = with_precision(played.bundle.path, "int8")
    kinds = {"norm": "REDUCE", "norm squares": "ELEMENTWISE", "norm root": "UNARY", "swish": "ACTIVATION"}
    layers = [Layer(name, kind, [("in", "FLOAT")], [(name, "FLOAT")]) for name, kind in kinds.items()]
    layers[-1].outputs = [("gate", "{rest}")]
    monkeypatch.setattr("tests.runners.tensorrt.played_tensorrt.LAYERS", layers)

    def name(layer):
        first = 3 if layer.played_rest == "HALF" else 17
        numbered = {"norm squares": f"(Unnamed Layer* {first}) [ElementWise]", "norm root": f"norm_{first}"}
        return numbered.get(layer.played_spec.name, layer.played_spec.name)

    played.fake.answers.update({"ILayer.name": name, "INetworkDefinition.num_layers": len(layers)})
    build_engines(build_of(played, precision="int8"), "")
    pinned = [call.owner.played_spec.name for call in played.fake.of("ILayer.precision =")]
    weak = generation_of(played.version) != "11"
    assert pinned == (["norm", "norm squares", "norm root"] * len(STAGES) if weak else [])


def test_int8_without_an_fp16_file_keeps_fp32_whatever_is_not_int8(played, tmp_path, capsys):
    (tmp_path / "lone").mkdir()
    played.bundle = with_precision(tiny_bundle(tmp_path / "lone"), "int8")
    build_engines(build_of(played, precision="int8"), "")
    weak = generation_of(played.version) != "11"
    pinned = [call.owner.played_spec.name for call in played.fake.of("ILayer.precision =")]
    assert pinned == (["mean square", "swish"] * len(STAGES) if weak else [])
    assert ("no fp16 stages to tell" in capsys.readouterr().err) == weak


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_only_strongly_typed_int8_is_built_of_the_file_for_it(played, precision, capsys):
    with_precision(played.bundle.path, "int8")
    played.bundle = with_precision(played.bundle.path, "int8", strongly_typed=True)
    for stage in STAGES:
        # Another file, by a field that no parser knows.
        file = played.bundle.stage_file(stage, "int8", strongly_typed=True)
        file.write_bytes(file.read_bytes() + b"\xfa\x3e\x02hi")
    build_engines(build_of(played, precision=precision), "")
    typed = precision == "int8" and generation_of(played.version) == "11"
    parsed = [Path(call.named["path"]).name for call in played.fake.of("OnnxParser.parse")]
    form = "int8-typed" if typed else precision
    assert [name for name in parsed if ".int8" in name or precision != "int8"] == [f"{e}.{form}.onnx" for e in STAGES]
    models = [call.arguments[0] for call in played.fake.of("OnnxParser.parse")]
    assert [model.endswith(b"hi") for model in models] == [typed] * len(models)
    index = FolderIndex.model_validate_json(
        (played.bundle.path / "engines" / f"{played.key}-{precision}" / "index.json").read_text()
    )
    made_of = {stage: sha256_of(played.bundle.path / "onnx" / f"{stage}.{form}.onnx") for stage in STAGES}
    assert {stage: engine.onnx_sha256 for stage, engine in index.engines.items()} == made_of
    assert "compile the bundle again" not in capsys.readouterr().err


def test_a_bundle_from_before_strongly_typed_int8_is_built_of_what_it_has(played, capsys):
    played.bundle = with_precision(played.bundle.path, "int8")
    build_engines(build_of(played, precision="int8"), "")
    said = "all between int8 layers runs in fp32; compile the bundle again" in capsys.readouterr().err
    assert said == (generation_of(played.version) == "11")


def test_fp32_is_not_rounded_to_tf32(played):
    build_engines(build_of(played), "")
    cleared = [call.arguments[0].name for call in played.fake.of("IBuilderConfig.clear_flag")]
    assert cleared == ["TF32"] * len(STAGES)


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


def with_dla(played):
    """The nearest version that has DLA."""
    played.version = {"10.16.1": "10.7.0", "11.4.0": "11.4.1.62"}.get(played.fake.surface.version, played.version)
    played.key = f"sm87-{played.version}"
    return played


def test_dla_falls_back_layer_by_layer(played, capsys):
    with_dla(played)
    enum = played.fake.module
    shape = (-1, 3, 32, 32) if played.fake.surface.version == RECORDED else enum.Dims((-1, 3, 32, 32))
    played.fake.answers.update(
        {"Builder.num_DLA_cores": 2, "INetworkDefinition.num_inputs": 1, "ITensor.shape": lambda this: shape}
    )
    build_engines(build_of(played, dla=1), "")
    assert [tuple(call.arguments[0]) for call in played.fake.of("ITensor.shape =")] == [(1, 3, 32, 32)] * 4
    assert played.fake.names.index("ITensor.shape =") < played.fake.names.index("IBuilderConfig.can_run_on_DLA")
    assert [call.arguments for call in played.fake.of("IBuilderConfig.DLA_core =")] == [(1,)] * 4
    kinds = [call.arguments for call in played.fake.of("IBuilderConfig.default_device_type =")]
    assert kinds == [(enum.DeviceType.DLA,)] * 4
    assert played.flags.count("GPU_FALLBACK") == 4
    adjusted = [call.arguments[0].name for call in played.fake.of("OnnxParser.set_flag")]
    assert adjusted == (["ADJUST_FOR_DLA"] * 4 if generation_of(played.version) == "11" else [])
    names = played.fake.names
    if "FP16" in played.flags:
        # Without it TensorRT says of every layer that no DLA can run it.
        assert names.index("IBuilderConfig.set_flag") < names.index("IBuilderConfig.can_run_on_DLA")
        assert played.flags[0] == "FP16"
    # The DLA of 10 takes its precision from the flags, as before; 11 has none.
    assert played.flags.count("FP16") == (0 if generation_of(played.version) == "11" else 4)
    said = capsys.readouterr().err
    assert "DLA core 1: 2 of 8 layers; on the GPU:" in said and "mean square (REDUCE)" in said
    log = (played.bundle.path / "engines" / f"{played.key}-fp16-dla1/build.log").read_text()
    assert "mean square (REDUCE)" in log


def test_a_version_without_dla_is_refused_before_anything_is_built(played):
    for version in ("10.8.0", "10.16.1.11", "11.0.0", "11.4.0.106"):
        played.version = version
        with pytest.raises(ConfigError, match=rf"TensorRT {version} has no DLA: 10\.7 was the last .* leave --dla out"):
            build_engines(build_of(played, dla=0), "")
    assert played.fake.calls == []


def test_what_a_dla_cannot_do_is_refused_before_anything_is_built(played):
    with_dla(played)
    for options, message in [
        ({"precision": "fp32", "dla": 0}, "fp16"),
        ({"dla": 0, "max_batch": 2}, "batch"),
        ({"dla": 2}, "no DLA core 2: this device has 0"),
    ]:
        with pytest.raises(ConfigError, match=message):
            build_engines(build_of(played, **options), "")
    if generation_of(played.version) != "11":
        with pytest.raises(ConfigError, match="Q/DQ"):
            build_engines(build_of(played, precision="int8", dla=0), "")
    assert "Builder.build_serialized_network" not in played.fake.names


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
    assert "not an ONNX file" in failing(played, CompileError)


def test_a_bundle_that_cannot_be_written_is_refused_before_anything_is_built(played, monkeypatch):
    monkeypatch.setattr("edgecvar.bundle.engines.os.access", lambda path, mode: False)
    assert "copy the bundle to a folder of yours" in failing(played, BundleError)
    assert played.fake.calls == []


def test_a_bundle_without_the_precision(played):
    assert "no int8 file" in failing(played, BundleError, precision="int8")


def failing(played, kind, **options):
    """The one line of a build's error; engines/ is as it was."""
    with pytest.raises(kind) as caught:
        build_engines(build_of(played, **options), "")
    assert not (played.bundle.path / "engines").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)
