"""DLA: what its layers are told, and which versions and options have none."""

from __future__ import annotations

import pytest

from edgecvar.errors import ConfigError
from edgecvar.runners.tensorrt.api import generation_of
from edgecvar.runners.tensorrt.builder import build_engines
from tests.contracts.fake_tensorrt import RECORDED
from tests.runners.tensorrt.building import build_of


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
