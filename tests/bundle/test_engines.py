"""Engines in a bundle: found only for what they were built for, refused when changed, written whole or not at all."""

from __future__ import annotations

import json
import os

import pytest

from edgecvar.bundle.engines import (
    BuiltStage,
    EngineKey,
    read_engine,
    read_timings,
    require_writable,
    why_build,
    write_engines,
    write_timings,
)
from edgecvar.bundle.manifest import MANIFEST, Manifest, open_bundle, write_manifest
from edgecvar.errors import BundleError
from edgecvar.files import whole_folder
from tests.tiny_bundle import tiny_bundle

KEY = EngineKey(sm="sm87", gpu="Orin, 8 multiprocessors", tensorrt="10.3.0", precision="fp16")
ONNX = {"motion": "a" * 64, "fuse": "b" * 64}


@pytest.fixture
def root(tmp_path):
    root = tiny_bundle(tmp_path)
    built = {stage: BuiltStage(engine=f"code of {stage}".encode(), onnx_sha256=sha) for stage, sha in ONNX.items()}
    write_engines(root, KEY, built, "[INFO] built\n", max_batch=2)
    write_timings(root, "sm87", "10.3.0", b"timings")
    return root


def test_what_was_written_is_read(root):
    assert why_build(root, KEY, ONNX, 2) is None
    file, engine = read_engine(root, KEY, "motion", ONNX["motion"])
    assert engine == b"code of motion" == file.read_bytes()
    assert file == root / "engines/sm87-10.3.0-fp16/motion.engine"
    assert (file.parent / "build.log").read_text() == "[INFO] built\n"
    assert read_timings(root, "sm87", "10.3.0") == b"timings"
    assert open_bundle(root).path == root


@pytest.mark.parametrize(
    "change",
    [
        {"sm": "sm72"},
        {"tensorrt": "10.3.1"},
        {"precision": "fp32"},
        {"converter": "torch2trt"},
        {"dla": 0},
    ],
)
def test_engines_for_something_else_are_not_found(root, change):
    other = KEY.model_copy(update=change)
    assert "no engines for" in why_build(root, other, ONNX)
    assert other.folder != KEY.folder


@pytest.mark.parametrize(
    ("onnx", "batch", "why"),
    [
        ({**ONNX, "fuse": "c" * 64}, 1, "another ONNX file of fuse"),
        ({**ONNX, "residual": "c" * 64}, 1, "something else"),
        (ONNX, 3, "takes 2 at once, and 3"),
    ],
)
def test_engines_of_other_stages_or_batches_are_built_anew(root, onnx, batch, why):
    assert why in why_build(root, KEY, onnx, batch)


def test_engines_of_another_gpu_of_the_same_sm_are_built_anew(root):
    other = KEY.model_copy(update={"gpu": "Orin, 16 multiprocessors"})
    assert "another GPU (Orin, 8 multiprocessors; this is Orin, 16 multiprocessors)" in why_build(root, other, ONNX)
    assert other.folder == KEY.folder


def test_files_are_on_the_disk_before_their_folder_has_its_name(tmp_path, monkeypatch):
    flushed = []
    real = os.fsync

    def fsync(number):
        assert not (tmp_path / "target").exists()
        flushed.append(os.fstat(number).st_ino)
        real(number)

    monkeypatch.setattr("edgecvar.files.os.fsync", fsync)
    with whole_folder(tmp_path / "target") as draft:
        (draft / "inside").mkdir()
        for name in ("one", "inside/two"):
            (draft / name).write_bytes(b"content")
    written = {(tmp_path / "target" / name).stat().st_ino for name in ("one", "inside/two")}
    assert written == set(flushed)


def test_a_folder_renamed_for_another_device_is_not_used(root):
    other = KEY.model_copy(update={"sm": "sm72"})
    (root / "engines" / KEY.folder).rename(root / "engines" / other.folder)
    assert "something else" in why_build(root, other, ONNX)


def test_a_byte_changed_anywhere_in_engines_is_one_error(root):
    files = sorted(file for file in (root / "engines").rglob("*") if file.is_file())
    assert {file.name for file in files} == {
        "motion.engine",
        "fuse.engine",
        "build.log",
        "index.json",
        "timings.cache",
    }
    for file in files:
        whole = file.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 40)):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(BundleError) as caught:
                open_bundle(root)
            assert str(file) in str(caught.value) and "remove that folder" in str(caught.value)
            assert "\n" not in str(caught.value)
        file.write_bytes(whole)
    open_bundle(root)


def test_an_engine_changed_after_the_bundle_was_opened_is_not_handed_out(root):
    (root / "engines" / KEY.folder / "fuse.engine").write_bytes(b"other code")
    assert read_engine(root, KEY, "motion", ONNX["motion"])[1] == b"code of motion"
    with pytest.raises(BundleError, match="changed since"):
        read_engine(root, KEY, "fuse", ONNX["fuse"])


@pytest.mark.parametrize("change", ["gpu", "onnx"])
def test_engines_replaced_after_the_check_are_not_handed_out(root, change):
    assert why_build(root, KEY, ONNX, 2) is None
    key = KEY.model_copy(update={"gpu": "Orin, 16 multiprocessors"}) if change == "gpu" else KEY
    sha = "c" * 64 if change == "onnx" else ONNX["motion"]
    write_engines(root, key, {"motion": BuiltStage(engine=b"other", onnx_sha256=sha)}, "")
    with pytest.raises(BundleError, match="was replaced after it was checked"):
        read_engine(root, KEY, "motion", ONNX["motion"])


def test_a_changed_timing_cache_is_not_handed_out(root):
    (root / "engines/sm87-10.3.0-timings/timings.cache").write_bytes(b"timing")
    with pytest.raises(BundleError, match="changed since"):
        read_timings(root, "sm87", "10.3.0")
    assert read_timings(root, "sm72", "10.3.0") == b""


def test_an_index_that_points_out_of_its_folder_is_refused(root, tmp_path):
    (tmp_path / "outside").write_bytes(b"code of motion")
    folder = root / "engines" / KEY.folder
    (folder / "motion.engine").unlink()
    (folder / "motion.engine").symlink_to(tmp_path / "outside")
    with pytest.raises(BundleError, match="leaves the bundle"):
        read_engine(root, KEY, "motion", ONNX["motion"])


@pytest.mark.parametrize("where", ["engines", f"engines/{KEY.folder}", f"engines/{KEY.folder}/index.json"])
def test_a_link_among_the_engines_is_refused(root, tmp_path, where):
    (root / where).rename(tmp_path / "outside")
    (root / where).symlink_to(tmp_path / "outside")
    with pytest.raises(BundleError, match="is a link"):
        open_bundle(root)
    if where == "engines":
        before = sorted((tmp_path / "outside").rglob("*"))
        with pytest.raises(BundleError, match="is a link"):
            write_engines(root, KEY.model_copy(update={"sm": "sm72"}), {}, "")
        with pytest.raises(BundleError, match="is a link"):
            require_writable(root)
        assert sorted((tmp_path / "outside").rglob("*")) == before


@pytest.mark.parametrize("where", ["engines/stray", "engines/sm87-10.3.0-fp16/plugin.so"])
def test_a_file_that_was_not_built_is_refused(root, where):
    (root / where).write_bytes(b"code")
    with pytest.raises(BundleError, match="remove"):
        open_bundle(root)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema_version": 2}'])
def test_a_broken_index_is_one_clear_error(root, text):
    (root / "engines" / KEY.folder / "index.json").write_text(text)
    with pytest.raises(BundleError, match="not an index of engines") as caught:
        why_build(root, KEY, ONNX)
    assert "\n" not in str(caught.value)


def test_an_index_that_is_a_pipe_is_never_waited_for(root):
    file = root / "engines" / KEY.folder / "index.json"
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(BundleError, match="not an index of engines: not a regular file"):
        open_bundle(root)


def test_engines_are_written_whole_or_not_at_all(root, monkeypatch):
    before = {file: file.read_bytes() for file in root.rglob("*") if file.is_file()}

    def full(self, *args, **named):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(type(root), "write_text", full)
        with pytest.raises(BundleError, match=r"cannot be written \(No space left on device\)"):
            write_engines(root, KEY, {"motion": BuiltStage(engine=b"new", onnx_sha256="d" * 64)}, "")
    assert {file: file.read_bytes() for file in root.rglob("*") if file.is_file()} == before


def test_a_draft_that_a_power_cut_left_is_passed_over(root):
    draft = root / "engines/.sm87-10.3.0-int8.abc"
    draft.mkdir()
    (draft / "half.engine").write_bytes(b"half")
    open_bundle(root)


def test_engines_are_no_part_of_what_was_compiled(root):
    manifest = write_manifest(root, Manifest.model_validate(json.loads((root / MANIFEST).read_text())))
    assert not [name for name in manifest.sha256 if name.startswith("engines")]
