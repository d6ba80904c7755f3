"""`edgecvar bundle`, and `--trust` at every verb that opens a bundle to run it."""

from __future__ import annotations

import base64
import json
import shutil
import sys
from importlib.util import find_spec

import pytest

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.signing import SIGNATURE

signing = pytest.mark.skipif(find_spec("cryptography") is None, reason="the extra `sign` is not installed")
VERBS = [
    "run",
    "eval",
    pytest.param("scan", marks=pytest.mark.skipif(find_spec("pyarrow") is None, reason="the extra `scan` is not here")),
    "thresholds",
    "verify",
    "build",
    "bench",
    "bench streams",
    "bench together",
    "bench machine",
    "serve",
    "deploy",
]


@pytest.fixture
def signed(edgecvar, bundle, tmp_path):
    """A signed copy, and the public key's file."""
    root = shutil.copytree(bundle, tmp_path / bundle.name)
    assert edgecvar("bundle", "keygen", tmp_path / "a.key", "--no-password")[0] == 0
    assert edgecvar("bundle", "sign", root, "--key", tmp_path / "a.key")[0] == 0
    return root, tmp_path / "a.pub"


def test_info_says_what_it_is(edgecvar, bundle):
    code, out, _ = edgecvar("bundle", "info", bundle)
    assert code == 0
    for words in ("network    tiny", "labels     3: left, right, still", "engines    none yet", "signed     no"):
        assert words in out
    document = json.loads(edgecvar("bundle", "info", bundle, "--json")[1])
    assert document["labels"] == ["left", "right", "still"] and document["signature"] is None
    sizes = {each["path"]: each["size_bytes"] for each in document["files"]}
    assert sizes and all((bundle / path).stat().st_size == size for path, size in sizes.items())


def test_diff_says_what_an_update_sends(edgecvar, bundle, tmp_path):
    other = shutil.copytree(bundle, tmp_path / "other.edgecvar")
    code, out, _ = edgecvar("bundle", "diff", bundle, other)
    assert code == 0 and "the two say the same" in out and "an update sends 0 B" in out
    document = json.loads(edgecvar("bundle", "diff", bundle, other, "--json")[1])
    assert document["same"] is True and document["update_bytes"] == 0


def test_check_tells_a_changed_file(edgecvar, bundle, tmp_path):
    other = shutil.copytree(bundle, tmp_path / "other.edgecvar")
    assert json.loads(edgecvar("bundle", "check", other, "--json")[1])["signed_by"] is None
    (other / "onnx/fuse.fp32.onnx").write_bytes(b"")
    code, out, err = edgecvar("bundle", "check", other)
    assert code == 1 and out == "" and "changed since it was compiled" in err


@signing
def test_signing_and_who_signed(edgecvar, signed):
    root, key = signed
    code, out, _ = edgecvar("bundle", "check", root, "--trust", key)
    assert code == 0 and "signature: by key" in out
    assert "not checked" in edgecvar("bundle", "info", root)[1]
    assert "which is trusted" in edgecvar("bundle", "info", root, "--trust", key)[1]
    (root / "onnx/fuse.fp32.onnx").write_bytes(b"")
    code, _, err = edgecvar("bundle", "sign", root, "--key", key.with_suffix(".key"))
    assert code == 1 and "changed since it was compiled" in err


@signing
def test_a_password_comes_from_the_environment_or_is_missed(edgecvar, signed, tmp_path, monkeypatch):
    monkeypatch.setattr("edgecvar.bundle.keys.OPERATIONS", 1 << 19)
    monkeypatch.setattr("edgecvar.bundle.keys.MEMORY", 1 << 24)
    monkeypatch.setattr(sys, "stdin", open("/dev/null"))  # noqa: SIM115
    code, _, err = edgecvar("bundle", "keygen", tmp_path / "b.key")
    assert code == 1 and "EDGECVAR_KEY_PASSWORD" in err and not (tmp_path / "b.key").exists()
    monkeypatch.setenv("EDGECVAR_KEY_PASSWORD", "geheim")
    assert edgecvar("bundle", "keygen", tmp_path / "b.key")[0] == 0
    assert edgecvar("bundle", "sign", signed[0], "--key", tmp_path / "b.key")[0] == 0
    monkeypatch.setenv("EDGECVAR_KEY_PASSWORD", "another")
    code, _, err = edgecvar("bundle", "sign", signed[0], "--key", tmp_path / "b.key")
    assert code == 1 and "another password opens it" in err


def commands(root, clip, folder):
    """Every verb that opens a bundle to run it, as far as it runs where there is no TensorRT."""
    config = folder / "edge.yaml"
    config.write_text(f"sources: {{a: {clip}}}\nbundle: {root}\npage: false\n")
    return {
        "run": ["run", clip, "--bundle", root, "--runner", "onnx"],
        "eval": ["eval", root, clip.parent.parent, "--jobs", "1"],
        "scan": ["scan", clip, "--bundle", root, "-o", folder / "seen.parquet", "--workers", "1"],
        "thresholds": ["eval", root, clip.parent.parent, "--thresholds"],
        "verify": ["verify", root, "--runners", "onnx", "--data", clip],
        "build": ["build", root],
        "bench": ["bench", clip, "--bundle", root, "--save", folder / "session.json", "--seconds", "0.1"],
        "bench streams": ["bench", "streams", clip, "--bundle", root],
        "bench together": ["bench", "together", clip, "--bundle", root],
        "bench machine": ["bench", "machine", "--judge", root],
        "serve": ["serve", "--check", config],
        "deploy": ["deploy", "nobody@127.0.0.1", root, "--port", "1"],
    }


@signing
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_refuses_what_nobody_trusted_signed(edgecvar, signed, clip, tmp_path, monkeypatch, verb):
    root, key = signed
    command = commands(root, clip, tmp_path)[verb]
    monkeypatch.setenv("EDGECVAR_TRUST", str(key))
    (root / SIGNATURE).rename(tmp_path / SIGNATURE)
    code, out, err = edgecvar(*command)
    assert code == 1 and out == "" and "not signed, and only what key" in err and len(err.splitlines()) == 1
    (tmp_path / SIGNATURE).rename(root / SIGNATURE)
    if verb in ("run", "serve"):
        code, out, err = edgecvar(*command)
        assert code == 0 and out and "error" not in err
    if verb != "serve":
        monkeypatch.delenv("EDGECVAR_TRUST")
        other = tmp_path / "b.key"
        edgecvar("bundle", "keygen", other, "--no-password")
        code, out, err = edgecvar(*command, "--trust", tmp_path / "b.pub")
        assert code == 1 and out == "" and "signed by key" in err


@signing
def test_a_services_own_key_goes_before_that_of_the_environment(edgecvar, signed, clip, tmp_path, monkeypatch):
    root, key = signed
    edgecvar("bundle", "keygen", tmp_path / "b.key", "--no-password")
    config = tmp_path / "edge.yaml"
    config.write_text(f"sources: {{a: {clip}}}\nbundle: {root}\ntrust: {tmp_path / 'b.pub'}\npage: false\n")
    monkeypatch.setenv("EDGECVAR_TRUST", str(key))
    code, _, err = edgecvar("serve", "--check", config)
    assert code == 1 and "bundle: " in err and "signed by key" in err


def test_without_the_library_it_says_what_to_install(edgecvar, bundle, tmp_path, monkeypatch):
    root = shutil.copytree(bundle, tmp_path / bundle.name)
    first, second = (base64.b64encode(b"Ed" + bytes(size - 2)).decode() for size in (74, 64))
    (root / SIGNATURE).write_text(f"untrusted comment: x\n{first}\ntrusted comment: y\n{second}\n")
    (tmp_path / "a.pub").write_text(base64.b64encode(b"Ed" + bytes(40)).decode() + "\n")
    monkeypatch.setattr("edgecvar.errors.find_spec", lambda name: None)
    code, out, err = edgecvar("bundle", "check", root, "--trust", tmp_path / "a.pub")
    assert code == 1 and out == "" and "pip install 'edgecvar[sign]'" in err


def test_without_a_bundle_info_tells_of_the_one_that_is_shipped(edgecvar):
    code, out, _ = edgecvar("bundle", "info")
    assert code == 0 and str(default_bundle()) in out.replace("\n", "")
