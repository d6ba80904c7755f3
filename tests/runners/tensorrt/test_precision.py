"""Precision: what each generation of TensorRT is told of types, and which file it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecvar.bundle.engines import FolderIndex
from edgecvar.files import sha256_of
from edgecvar.runners.tensorrt.api import generation_of
from edgecvar.runners.tensorrt.builder import build_engines
from tests.runners.tensorrt.building import build_of
from tests.runners.tensorrt.played_tensorrt import STAGES, Layer, sealed_again, with_precision
from tests.tiny_bundle import tiny_bundle

WEAK = {"8.2", "8.5"}


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
    played.bundle = sealed_again(played.bundle)
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
