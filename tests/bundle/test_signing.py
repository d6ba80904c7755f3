"""A signed bundle: only as its key's owner signed it, whole; what a trusted one reads is what was signed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from edgecvar.bundle.engines import (
    BuiltStage,
    EngineKey,
    read_engine,
    read_timings,
    why_build,
    write_engines,
    write_timings,
)
from edgecvar.bundle.keys import write_keys
from edgecvar.bundle.manifest import MANIFEST, Manifest, open_bundle, sealed, write_manifest
from edgecvar.bundle.signing import SIGNATURE, check_signature, read_signature, sign
from edgecvar.errors import BundleError, TrustError
from edgecvar.files import sha256_of
from edgecvar.run.model import load
from edgecvar.runners.choice import RunnerChoice, make_runner
from tests.tiny_bundle import tiny_bundle

pytest.importorskip("cryptography", reason="the extra `sign` is not installed")
KEY = EngineKey(sm="sm87", gpu="Orin", tensorrt="10.3.0", precision="fp16")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The files of a key that is trusted: secret, public."""
    secret = tmp_path_factory.mktemp("keys") / "a.key"
    return secret, write_keys(secret, "")[0]


def signed(root, key):
    sign(root, open_bundle(root).manifest.seal, key, lambda: "")


@pytest.fixture
def root(tmp_path, pair):
    root = tiny_bundle(tmp_path)
    signed(root, pair[0])
    return root


def test_a_signed_bundle_is_opened_and_says_by_whom_it_is(root, pair):
    opened = open_bundle(root, pair[1])
    signature = read_signature(root)
    assert opened.signed_by == signature.key_name
    assert signature.comment.endswith("\tfile:manifest.json\tbundle:tiny.edgecvar")
    assert open_bundle(root).signed_by is None
    check_signature(root, pair[1])


def test_what_is_signed_is_what_was_checked(root, pair):
    seal, before = open_bundle(root).manifest.seal, (root / SIGNATURE).read_bytes()
    document = (root / MANIFEST).read_text()
    renamed = document.replace('"left"', '"west"')
    assert renamed != document
    for text in (renamed, sealed(renamed.replace(seal, "")), document.replace(seal, ""), ""):
        (root / MANIFEST).write_text(text)
        with pytest.raises(TrustError, match="changed while it was being signed; sign it again"):
            sign(root, seal, pair[0], lambda: "")
        assert (root / SIGNATURE).read_bytes() == before


def test_from_python_too(root, pair):
    assert load(root, trust=str(pair[1])).bundle.signed_by is not None
    with pytest.raises(TrustError, match="not signed"):
        load(trust=pair[1])


def test_minisign_checks_what_was_signed(root, pair):
    if shutil.which("minisign") is None:
        pytest.skip("minisign is not installed")
    command = ["minisign", "-V", "-m", MANIFEST, "-p", pair[1]]
    assert b"verified" in subprocess.run(command, cwd=root, check=True, capture_output=True).stdout


def test_what_minisign_signed_is_trusted_in_both_of_its_forms(root, pair):
    if shutil.which("minisign") is None:
        pytest.skip("minisign is not installed")
    for form in ([], ["-l"]):
        (root / SIGNATURE).unlink()
        command = ["minisign", "-S", *form, "-s", pair[0], "-m", MANIFEST]
        subprocess.run(command, cwd=root, check=True, capture_output=True)
        assert open_bundle(root, pair[1]).signed_by is not None


def test_an_unsigned_bundle_is_refused_and_without_trust_nothing_changes(root, pair):
    (root / SIGNATURE).unlink()
    open_bundle(root)
    with pytest.raises(TrustError, match=r"not signed, and only what key .* is trusted"):
        open_bundle(root, pair[1])


def test_another_key_is_refused_by_name_and_also_under_the_name_of_the_trusted_one(root, pair, tmp_path):
    other, theirs = write_keys(tmp_path / "b.key", "")
    signed(root, tmp_path / "b.key")
    with pytest.raises(TrustError, match=f"signed by key {theirs.name}, and only"):
        open_bundle(root, pair[1])
    assert open_bundle(root, other).signed_by == theirs.name
    lines = (root / SIGNATURE).read_text().split("\n")
    signed(root, pair[0])
    ours = (root / SIGNATURE).read_text().split("\n")
    forged = bytearray(base64.b64decode(lines[1]))
    forged[2:10] = base64.b64decode(ours[1])[2:10]
    lines[1] = base64.b64encode(bytes(forged)).decode()
    (root / SIGNATURE).write_text("\n".join(lines))
    with pytest.raises(TrustError, match="is not what key"):
        open_bundle(root, pair[1])


def changed_label(root: Path) -> None:
    """As whoever can write files would: another label, and a seal that fits."""
    fields = json.loads((root / MANIFEST).read_text())
    write_manifest(root, Manifest.model_validate({**fields, "labels": ["right", "left", "still"]}))


def changed_model(root: Path) -> None:
    with (root / "onnx/fuse.fp32.onnx").open("ab") as file:
        file.write(b"\0")
    write_manifest(root, Manifest.model_validate_json((root / MANIFEST).read_text()))


def changed_comment(root: Path) -> None:
    text = (root / SIGNATURE).read_text()
    (root / SIGNATURE).write_text(text.replace("timestamp:1", "timestamp:2"))


def changed_space(root: Path) -> None:
    with (root / MANIFEST).open("a") as file:
        file.write("\n")


def line_ends(root: Path) -> None:
    (root / MANIFEST).write_bytes((root / MANIFEST).read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("change", [changed_label, changed_model, changed_comment, changed_space, line_ends])
def test_what_was_changed_after_signing_is_refused_though_its_hashes_fit(root, pair, change):
    change(root)
    if change is not changed_space:
        open_bundle(root)
    with pytest.raises(TrustError, match="is not what key"):
        open_bundle(root, pair[1])


@pytest.mark.parametrize("path", ["onnx/fuse.fp32.onnx", "onnx/motion.fp32.onnx"])
def test_a_file_that_is_not_the_signed_one_is_refused(root, pair, path):
    (root / path).write_bytes(b"another")
    with pytest.raises(BundleError, match="changed since it was compiled"):
        open_bundle(root, pair[1])


def test_a_file_that_replaces_one_after_the_check_is_not_run(root, pair):
    """What is hashed is what is loaded: there is no moment between."""
    bundle = open_bundle(root, pair[1])
    file = root / "onnx/motion.fp32.onnx"
    (root / "onnx/fuse.fp32.onnx").replace(file)
    with pytest.raises(BundleError, match=r"motion\.fp32\.onnx: changed since it was compiled"), make_runner(
        bundle, RunnerChoice(runner="onnx")
    ):
        pass


def test_links_out_of_the_folder_and_what_nobody_signed_are_refused(root, pair, tmp_path):
    file = root / "onnx/motion.fp32.onnx"
    file.replace(tmp_path / "outside.onnx")
    file.symlink_to(tmp_path / "outside.onnx")
    with pytest.raises(BundleError, match="leaves the bundle"):
        open_bundle(root, pair[1])
    file.unlink()
    (tmp_path / "outside.onnx").replace(file)
    (root / "onnx/weights.bin").write_bytes(b"external data that a model could name")
    with pytest.raises(BundleError, match="not part of the bundle"):
        open_bundle(root, pair[1])


def test_nothing_is_signed_through_a_link(root, pair, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("theirs")
    seal = open_bundle(root).manifest.seal
    (root / SIGNATURE).unlink()
    (root / SIGNATURE).symlink_to(outside)
    for use in (open_bundle, read_signature, lambda root: sign(root, seal, pair[0], lambda: "")):
        with pytest.raises(TrustError, match="is a link"):
            use(root)
    assert outside.read_text() == "theirs"


def test_a_manifest_with_other_line_ends_is_signed_as_it_is(root, pair):
    line_ends(root)
    signed(root, pair[0])
    open_bundle(root, pair[1])
    (root / MANIFEST).write_bytes(b"\xff")
    with pytest.raises(TrustError, match="changed while it was being signed"):
        sign(root, "", pair[0], lambda: "")


@pytest.mark.parametrize("text", ["", "a\nb\nc\nd\n", "untrusted comment: x\nRUQ=\ntrusted comment: y\nRUQ=\n", "\xff"])
def test_what_is_no_signature_is_refused(root, pair, text):
    (root / SIGNATURE).write_bytes(text.encode("latin-1"))
    with pytest.raises(TrustError, match=r"minisig: "):
        open_bundle(root, pair[1])


def written(root: Path) -> None:
    write_engines(root, KEY, {"motion": BuiltStage(engine=b"code", onnx_sha256="a" * 64)}, "")


def test_engines_that_came_with_the_folder_are_built_anew_and_never_loaded(root, tmp_path, monkeypatch):
    """Whoever can write into the bundle can write an index that fits; its seal is in no list of this user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    written(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "me"))
    assert why_build(root, KEY, {"motion": "a" * 64}) is None
    assert "was not built here by this user" in why_build(root, KEY, {"motion": "a" * 64}, own=True)
    assert read_engine(root, KEY, "motion", "a" * 64)[1] == b"code"
    with pytest.raises(BundleError, match="not built here by this user"):
        read_engine(root, KEY, "motion", "a" * 64, own=True)
    written(root)
    assert why_build(root, KEY, {"motion": "a" * 64}, own=True) is None
    assert read_engine(root, KEY, "motion", "a" * 64, own=True)[1] == b"code"
    open_bundle(root)


def test_a_list_that_others_can_write_counts_for_nothing(root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    written(root)
    listed = tmp_path / "edgecvar/engines-built"
    assert listed.stat().st_mode & 0o777 == 0o600
    listed.chmod(0o666)
    assert "was not built here" in why_build(root, KEY, {"motion": "a" * 64}, own=True)


def test_a_service_that_has_only_its_own_folder_notes_there(root, tmp_path, monkeypatch):
    (tmp_path / "no folder").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no folder"))
    written(root)
    assert why_build(root, KEY, {"motion": "a" * 64}, own=True) is not None
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "service"))
    written(root)
    assert why_build(root, KEY, {"motion": "a" * 64}, own=True) is None


def test_a_timing_cache_of_others_is_left_alone(root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    write_timings(root, "sm87", "10.3.0", b"measured")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "me"))
    assert read_timings(root, "sm87", "10.3.0") == b"measured"
    assert read_timings(root, "sm87", "10.3.0", own=True) == b""


def test_a_signature_is_no_part_of_what_the_manifest_seals(root, pair):
    text = (root / MANIFEST).read_text()
    write_manifest(root, Manifest.model_validate_json(text))
    assert (root / MANIFEST).read_text() == text == sealed(text.replace(json.loads(text)["seal"], ""))
    assert SIGNATURE not in json.loads(text)["sha256"] and sha256_of(root / SIGNATURE)
    open_bundle(root, pair[1])
