"""The bundle opens only when it is whole, and is written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecvar.bundle.manifest import Manifest, Provenance, StageFile, open_bundle, sealed, write_manifest
from edgecvar.bundle.stages import StageInput, StageSpec, clip_segments
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import BundleError
from edgecvar.files import whole_folder


def manifest(**changes):
    stage = StageSpec(
        name="motion",
        cadence="picture",
        inputs=[StageInput(name="motion", source="motion", shape=[2, 32, 32])],
        output_shape=[2],
    )
    fields = {
        "labels": ["left", "right"],
        "input": InputSpec(height=32, width=32),
        "stages": [stage],
        "files": [StageFile(stage="motion", precision="fp32", path="onnx/motion.fp32.onnx", max_difference=0.0)],
        "provenance": Provenance(model="attp"),
    }
    return Manifest(**{**fields, **changes})


@pytest.fixture
def bundle(tmp_path):
    target = tmp_path / "tiny.edgecvar"
    with whole_folder(target) as draft:
        (draft / "onnx").mkdir()
        (draft / "onnx/motion.fp32.onnx").write_bytes(b"weights")
        write_manifest(draft, manifest())
    return target


def test_round_trip(bundle):
    opened = open_bundle(bundle)
    assert opened.name == "tiny"
    assert opened.manifest.model_copy(update={"sha256": {}, "seal": ""}) == manifest()
    assert opened.stage_file("motion").read_bytes() == b"weights"


@given(st.integers(32, 512), st.integers(2, 300), st.floats(0.01, 1.0), st.booleans())
def test_input_spec_round_trips_as_json(side, gop, crop, accumulate):
    spec = InputSpec(height=side, width=side, gop_length=gop, crop=crop, accumulate=accumulate)
    assert InputSpec.model_validate_json(spec.model_dump_json()) == spec


def test_a_changed_file_is_refused(bundle):
    (bundle / "onnx/motion.fp32.onnx").write_bytes(b"weightz")
    with pytest.raises(BundleError, match="changed since"):
        open_bundle(bundle)


def test_a_missing_file_is_refused(bundle):
    (bundle / "onnx/motion.fp32.onnx").unlink()
    with pytest.raises(BundleError, match="missing"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname"])
def test_a_manifest_cannot_reach_out_of_its_folder(bundle, name):
    document = json.loads((bundle / "manifest.json").read_text())
    document["sha256"][name] = "0" * 64
    (bundle / "manifest.json").write_text(sealed(json.dumps({**document, "seal": ""})))
    with pytest.raises(BundleError, match="leaves the bundle"):
        open_bundle(bundle)


def test_a_stage_file_without_a_hash_is_refused(bundle):
    document = json.loads((bundle / "manifest.json").read_text())
    document["sha256"] = {}
    (bundle / "manifest.json").write_text(sealed(json.dumps({**document, "seal": ""})))
    with pytest.raises(BundleError, match="no hash"):
        open_bundle(bundle)


def test_a_byte_changed_anywhere_is_one_clear_error(bundle):
    for file in [file for file in bundle.rglob("*") if file.is_file()]:
        content = file.read_bytes()
        for place in range(len(content)):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(BundleError) as caught:
                open_bundle(bundle)
            assert "\n" not in str(caught.value)
        file.write_bytes(content)
    open_bundle(bundle)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema_version": 2}', "\x00", "[" * 100000])
def test_a_broken_manifest_is_one_clear_error(bundle, text):
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match="not a manifest") as caught:
        open_bundle(bundle)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seal", [{}, {"seal": ""}, {"seal": "0" * 64}])
def test_a_manifest_without_its_seal_is_refused(bundle, seal):
    document = json.loads((bundle / "manifest.json").read_text())
    del document["seal"]
    (bundle / "manifest.json").write_text(json.dumps({**document, **seal}))
    with pytest.raises(BundleError, match="changed since"):
        open_bundle(bundle)


def test_the_strongly_typed_file_is_for_those_who_ask_where_there_is_one(bundle):
    manifest = open_bundle(bundle).manifest
    for precision, typed in (("int8", False), ("int8", True)):
        name = f"onnx/motion.{precision}{'-typed' if typed else ''}.onnx"
        (bundle / name).write_bytes(name.encode())
        entry = StageFile(stage="motion", precision=precision, strongly_typed=typed, path=name, max_difference=0.0)
        manifest = manifest.model_copy(update={"files": [entry, *manifest.files]})
    write_manifest(bundle, manifest)
    opened = open_bundle(bundle)
    assert opened.precisions == ["fp32", "int8"]
    assert opened.stage_file("motion", "int8").name == "motion.int8.onnx"
    assert opened.stage_file("motion", "int8", strongly_typed=True).name == "motion.int8-typed.onnx"
    assert opened.stage_file("motion", "fp32", strongly_typed=True).name == "motion.fp32.onnx"


def test_a_manifest_that_says_nothing_of_types_opens(bundle):
    text = (bundle / "manifest.json").read_text()
    fields = json.loads(text)
    for entry in fields["files"]:
        assert entry.pop("strongly_typed") is False
    (bundle / "manifest.json").write_text(sealed(json.dumps({**fields, "seal": ""}, indent=2) + "\n"))
    assert [entry.strongly_typed for entry in open_bundle(bundle).manifest.files] == [False]


def test_another_schema_is_named(bundle):
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").write_text(text.replace('"schema_version": 2', '"schema_version": 1'))
    with pytest.raises(BundleError, match="of schema 1, and this edgecvar reads 2"):
        open_bundle(bundle)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="not a bundle"):
        open_bundle(tmp_path)


def test_stages_must_be_a_chain():
    loose = StageSpec(
        name="fuse",
        cadence="picture",
        inputs=[StageInput(name="x", source="nowhere", shape=[1])],
        output_shape=[2],
    )
    with pytest.raises(ValueError, match="nowhere"):
        manifest(stages=[loose])


def test_prepared_inputs_have_the_shape_of_the_input_spec():
    with pytest.raises(ValueError, match="not \\[2, 64, 32\\]"):
        manifest(input=InputSpec(height=64, width=32))


def test_names_are_unique():
    with pytest.raises(ValueError, match="a label is named twice"):
        manifest(labels=["left", "left"])
    with pytest.raises(ValueError, match="a stage is named twice"):
        manifest(stages=manifest().stages * 2)


def rewritten(bundle, old, new):
    """The manifest with a part of its text replaced, sealed again: made so on purpose."""
    file = bundle / "manifest.json"
    document = json.loads(file.read_text())
    text = file.read_text().replace(document["seal"], "")
    assert text.count(old) == 1, old
    file.write_text(sealed(text.replace(old, new)))


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('"crop": 0.9375', '"crop": NaN', "NaN is no number"),
        ('"crop": 0.9375', '"crop": 1e999', "1e999 is no number"),
        ('"crop": 0.9375', '"crop": ' + "9" * 100_000, "too large a number"),
        ('"velocity_unit": 4.0', '"velocity_unit": 1e308', "velocity_unit"),
        ("0.229", "0", "image_std: each must lie between 1e-06 and"),
        ("0.485", "1e308", "image_mean: each must lie between"),
        ('"max_difference": 0.0', '"max_difference": -1', "max_difference"),
        ('"labels": [', '"labels": ["up", "down"], "labels": [', "key 'labels' is given twice"),
        ('"left"', r'"\ud800"', "half a character"),
        ('"crop": 0.9375', '"crop": ' + "[" * 50_000, "inside each other"),
        ('"recipe": null', '"recipe": "' + " " * (16 << 20) + '"', "larger than 16 MiB"),
        ('"stride": 12', '"stride": "' + "x" * 10_000 + '"', "got 'xxx"),
    ],
)
def test_a_manifest_of_what_is_no_value_is_one_short_error(bundle, old, new, said):
    rewritten(bundle, old, new)
    with pytest.raises(BundleError, match="not a manifest of schema") as caught:
        open_bundle(bundle)
    assert said in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize("size", [0, -2, 10**30])
def test_a_tensor_has_sizes_that_are_some(bundle, size):
    text = (bundle / "manifest.json").read_text()
    document = json.loads(text)
    stage = {**document["stages"][0], "name": "earlier", "output_shape": [size]}
    document.update(stages=[stage, *document["stages"]], seal="")
    (bundle / "manifest.json").write_text(sealed(json.dumps(document)))
    with pytest.raises(BundleError, match="every size must lie between 1 and"):
        open_bundle(bundle)


def test_a_manifest_that_is_a_device_or_a_pipe_is_never_waited_for(bundle):
    (bundle / "manifest.json").unlink()
    os.mkfifo(bundle / "manifest.json")
    with pytest.raises(BundleError, match="not a bundle"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "circle"])
def test_a_file_name_that_is_none_is_refused(bundle, name):
    (bundle / "circle").symlink_to("circle")
    document = json.loads((bundle / "manifest.json").read_text())
    document["sha256"][name] = "0" * 64
    (bundle / "manifest.json").write_text(sealed(json.dumps({**document, "seal": ""})))
    with pytest.raises(BundleError) as caught:
        open_bundle(bundle)
    assert len(str(caught.value)) < 300


def test_a_link_out_of_the_bundle_is_refused(bundle):
    outside = bundle.parent / "outside.onnx"
    model = bundle / "onnx/motion.fp32.onnx"
    model.rename(outside)
    model.symlink_to(outside)
    with pytest.raises(BundleError, match="leaves the bundle"):
        open_bundle(bundle)


def test_a_file_beside_the_stages_is_refused(bundle):
    (bundle / "onnx/weights.data").write_bytes(b"loaded by a model")
    with pytest.raises(BundleError, match="not part of the bundle"):
        open_bundle(bundle)


def test_the_last_stage_gives_one_score_a_label():
    with pytest.raises(ValueError, match="one score a label"):
        manifest(labels=["only"])


def test_a_failure_leaves_the_old_bundle_and_no_draft(bundle):
    with pytest.raises(RuntimeError), whole_folder(bundle) as draft:
        (draft / "half").write_text("half")
        raise RuntimeError("interrupted")
    assert open_bundle(bundle).name == "tiny"
    assert [entry.name for entry in bundle.parent.iterdir()] == ["tiny.edgecvar"]


def test_an_interruption_of_the_last_step_leaves_the_old_bundle(bundle, monkeypatch):
    rename = Path.rename

    def interrupted(self, target):
        if Path(target) == bundle and self.suffix == ".draft":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), whole_folder(bundle) as draft:
        (draft / "half").write_text("half")
    assert open_bundle(bundle).name == "tiny"
    assert [entry.name for entry in bundle.parent.iterdir()] == ["tiny.edgecvar"]


def test_a_new_bundle_replaces_the_old_one_whole(bundle):
    with whole_folder(bundle) as draft:
        (draft / "onnx").mkdir()
        (draft / "onnx/motion.fp32.onnx").write_bytes(b"newer")
        write_manifest(draft, manifest(labels=["up", "down"]))
    assert open_bundle(bundle).manifest.labels == ["up", "down"]
    assert [entry.name for entry in bundle.parent.iterdir()] == ["tiny.edgecvar"]


@pytest.mark.parametrize("source, shape, fits", [("motion", [4, 2, 32, 32], True), ("motion", [2, 32, 32], False)])
def test_an_input_with_segments_has_them_as_its_first_axis(source, shape, fits):
    stage = StageSpec(
        name="clip",
        cadence="picture",
        inputs=[StageInput(name="moves", source=source, segments=4, shape=shape)],
        output_shape=[2],
    )
    if fits:
        document = manifest(stages=[stage])
        assert Manifest.model_validate_json(document.model_dump_json()).stages[0].inputs[0].segments == 4
        assert clip_segments(document.stages) == 4
    else:
        with pytest.raises(ValueError, match=r"input moves is \[2, 32, 32\], not \[4, 2, 32, 32\]"):
            manifest(stages=[stage])


def test_a_clip_of_an_earlier_stage_has_its_output_shape():
    clip = StageSpec(
        name="clip",
        cadence="picture",
        inputs=[StageInput(name="features", source="motion", segments=3, shape=[3, 2])],
        output_shape=[2],
    )
    assert len(manifest(stages=[*manifest().stages, clip]).stages) == 2
    assert clip_segments(manifest().stages) == 1
    wrong = clip.model_copy(update={"inputs": [clip.inputs[0].model_copy(update={"shape": [3, 5]})]})
    with pytest.raises(ValueError, match=r"not \[3, 2\]"):
        manifest(stages=[*manifest().stages, wrong])
