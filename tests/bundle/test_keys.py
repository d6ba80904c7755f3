"""Keys in minisign's files: made, read, locked, refused; minisign reads them itself where it is installed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from edgecvar.bundle import keys
from edgecvar.bundle.keys import costs, read_public_keys, read_secret_key, write_keys
from edgecvar.errors import TrustError

pytest.importorskip("cryptography", reason="the extra `sign` is not installed")

# Made by minisign 0.11, without a password.
OPEN = """untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA3SbrfEwkZYSafjdqnzD82lwR++ybUpsiGdHLEKSP7kC5/xvMBFZ2ZeIcT4XLHD4kVAPYyCURGc5SQ42ALQvgl9qAADMKd5SaAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
"""
OPEN_PUBLIC = """untrusted comment: minisign public key 8465244C7CEB26DD
RWTdJut8TCRlhOIcT4XLHD4kVAPYyCURGc5SQ42ALQvgl9qAADMKd5Sa
"""


def never() -> str:
    raise AssertionError("a password was asked for")


def test_keys_of_minisign_are_read(tmp_path):
    secret, public = tmp_path / "a.key", tmp_path / "a.pub"
    secret.write_text(OPEN)
    public.write_text(OPEN_PUBLIC)
    key = read_secret_key(secret, never)
    assert read_public_keys(public) == [key.public] and key.public.name == "8465244C7CEB26DD"
    assert key.public.verifies(key.sign(b"said"), b"said")
    assert not key.public.verifies(key.sign(b"said"), b"not said")


@pytest.mark.parametrize(
    ("operations", "memory", "size", "rounds"),
    [(1 << 25, 1 << 30, 1 << 20, 1), (1 << 19, 1 << 24, 1 << 14, 1), (1 << 15, 1 << 24, 1 << 10, 1)],
)
def test_a_password_is_tried_at_the_cost_that_libsodium_means(operations, memory, size, rounds):
    """The first is what minisign writes: 1 GiB, as 128 x 8 bytes x N."""
    assert costs(operations, memory) == (size, rounds)


def test_keys_are_made_for_their_owner_alone_and_never_over_others(tmp_path):
    secret = tmp_path / "fleet.key"
    public_file, public = write_keys(secret, "")
    assert public_file == tmp_path / "fleet.pub"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert read_public_keys(public_file) == [public] == [read_secret_key(secret, never).public]
    before = secret.read_bytes(), public_file.read_bytes()
    with pytest.raises(TrustError, match="never overwritten"):
        write_keys(secret, "")
    secret.unlink()
    with pytest.raises(TrustError, match="never overwritten"):
        write_keys(secret, "")
    assert not secret.exists() and public_file.read_bytes() == before[1]
    with pytest.raises(TrustError, match="for the public key"):
        write_keys(tmp_path / "x.pub", "")


def test_a_password_locks_what_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "OPERATIONS", 1 << 19)  # of libsodium's cheapest, which take 16 MB
    monkeypatch.setattr(keys, "MEMORY", 1 << 24)
    _, public = write_keys(tmp_path / "a.key", "geheim")
    assert read_secret_key(tmp_path / "a.key", lambda: "geheim").public == public
    with pytest.raises(TrustError, match="another password"):
        read_secret_key(tmp_path / "a.key", lambda: "")


def test_a_file_holds_several_public_keys(tmp_path):
    made = [write_keys(tmp_path / f"{name}.key", "") for name in "ab"]
    ring = tmp_path / "ring.pub"
    ring.write_text("".join(file.read_text() for file, _ in made))
    assert read_public_keys(ring) == [public for _, public in made]


@pytest.mark.parametrize("text", ["", "untrusted comment: x\n", "RWQ=\n", "no base64\n", OPEN, "\x00" * 100000])
def test_what_is_no_public_key_is_refused(tmp_path, text):
    file = tmp_path / "a.pub"
    file.write_text(text)
    with pytest.raises(TrustError, match=r"a\.pub: "):
        read_public_keys(file)


@pytest.mark.parametrize("text", ["", OPEN_PUBLIC, OPEN + OPEN, OPEN.replace("RWQAAEIy", "RWQAAEIz"), OPEN[:-20]])
def test_what_is_no_secret_key_is_refused(tmp_path, text):
    file = tmp_path / "a.key"
    file.write_text(text)
    with pytest.raises(TrustError, match=r"a\.key: no"):
        read_secret_key(file, never)


def test_a_damaged_secret_key_signs_nothing(tmp_path):
    file = tmp_path / "a.key"
    file.write_text(OPEN.replace("SafjdqnzD8", "SafjdqnzD9"))
    with pytest.raises(TrustError, match="damaged"):
        read_secret_key(file, never)


def test_minisign_signs_with_our_key_and_checks_with_it(tmp_path):
    if shutil.which("minisign") is None:
        pytest.skip("minisign is not installed")
    public, _ = write_keys(tmp_path / "a.key", "")
    message = tmp_path / "message"
    message.write_text("said")
    subprocess.run(["minisign", "-S", "-s", tmp_path / "a.key", "-m", message], check=True, capture_output=True)
    subprocess.run(["minisign", "-V", "-p", public, "-m", message], check=True, capture_output=True)


@pytest.mark.parametrize("name", [".", "..", "/", "folder"])
def test_a_folder_is_no_key(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(TrustError, match=r"is a folder; name a file .*fleet\.key"):
        write_keys(Path(name), "")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("full", ["a.key", "a.pub"])
def test_a_full_disk_leaves_no_half_of_a_pair(tmp_path, monkeypatch, full):
    real = os.fdopen

    def fdopen(descriptor, *given, **named):
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(full):
            os.close(descriptor)
            raise OSError(28, "No space left on device")
        return real(descriptor, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr("edgecvar.bundle.keys.os.fdopen", fdopen)
        with pytest.raises(TrustError, match=r"cannot be written \(No space left on device\)"):
            write_keys(tmp_path / "a.key", "")
    assert list(tmp_path.iterdir()) == []
    write_keys(tmp_path / "a.key", "")
