"""What two bundles differ in: settings, labels, files by what is in them, and what an update has to send."""

from __future__ import annotations

import json
import shutil

import pytest

from edgecvar.bundle.contents import contents_of
from edgecvar.bundle.difference import difference
from edgecvar.bundle.engines import BuiltStage, EngineKey, write_engines
from edgecvar.bundle.manifest import MANIFEST, Manifest, open_bundle, write_manifest
from tests.tiny_bundle import tiny_bundle


@pytest.fixture
def pair(tmp_path):
    """Two folders of the same bundle."""
    before = tiny_bundle(tmp_path / "before")
    return before, shutil.copytree(before, tmp_path / "after" / before.name)


def changed(root, **fields):
    document = json.loads((root / MANIFEST).read_text())
    write_manifest(root, Manifest.model_validate({**document, **fields}))


def between(pair):
    return difference(*map(open_bundle, pair))


def test_copies_differ_in_nothing_and_an_update_sends_nothing(pair):
    found = between(pair)
    assert found.is_none and not found.settings and not found.rebuilt and found.update_bytes == 0
    assert {each.change for each in found.files} == {"same"}
    size = sum(file.stat().st_size for file in pair[0].rglob("*") if file.is_file())
    assert found.whole_bytes == contents_of(open_bundle(pair[0])).carried_bytes == size


def test_of_a_stage_that_changed_its_file_and_the_manifest_are_sent(pair):
    file = pair[1] / "onnx/fuse.fp32.onnx"
    file.write_bytes((pair[1] / "onnx/motion.fp32.onnx").read_bytes() + b"\x0a\x00")
    changed(pair[1])
    found = between(pair)
    assert [each.path for each in found.files if each.change != "same"] == ["onnx/fuse.fp32.onnx"]
    assert found.rebuilt == ("fuse",) and not found.settings and not found.is_none
    assert found.update_bytes == file.stat().st_size + (pair[1] / MANIFEST).stat().st_size < found.whole_bytes


def test_bytes_that_are_there_under_another_name_are_not_sent_again(pair):
    extra = pair[1] / "onnx/again.onnx"
    shutil.copy(pair[1] / "onnx/fuse.fp32.onnx", extra)
    changed(pair[1])
    found = between(pair)
    assert [(each.path, each.change) for each in found.files if each.change != "same"] == [("onnx/again.onnx", "moved")]
    assert found.update_bytes == (pair[1] / MANIFEST).stat().st_size
    back = difference(open_bundle(pair[1]), open_bundle(pair[0]))
    assert [(each.path, each.bytes_after) for each in back.files if each.change == "removed"] == [
        ("onnx/again.onnx", None)
    ]


def test_settings_are_named_by_their_place_recipes_key_by_key(pair):
    for root, epochs in zip(pair, (4, 8)):
        recipe = f"model: tiny\nviews:\n  epochs: {epochs}\n"
        changed(root, provenance={"model": "tiny", "recipe": recipe})
    spec = json.loads((pair[1] / MANIFEST).read_text())["input"]
    changed(pair[1], input={**spec, "stride": 3})
    found = between(pair)
    assert [(each.place, each.before, each.after) for each in found.settings] == [
        ("input.stride", 2, 3),
        ("provenance.recipe.views.epochs", 4, 8),
    ]


@pytest.mark.parametrize(
    ("labels", "added", "removed", "moved"),
    [
        (["right", "left", "still"], (), (), True),
        (["left", "right", "up"], ("up",), ("still",), False),
    ],
)
def test_labels_are_compared_as_labels(pair, labels, added, removed, moved):
    changed(pair[1], labels=labels)
    found = between(pair)
    assert (found.labels_added, found.labels_removed, found.labels_moved) == (added, removed, moved)


def test_engines_are_told_and_never_sent(pair):
    key = EngineKey(sm="sm87", gpu="Orin", tensorrt="10.3.0", precision="fp16")
    write_engines(pair[1], key, {"fuse": BuiltStage(engine=b"code", onnx_sha256="a" * 64)}, "", max_batch=2)
    found = between(pair)
    assert found.is_none and found.update_bytes == 0 and found.whole_bytes == found.before.carried_bytes
    (held,) = found.after.engines
    assert (held.folder, held.stages, held.size_bytes, held.max_batch) == ("sm87-10.3.0-fp16", ("fuse",), 4, 2)
    assert held.built_here and found.before.engines == ()
