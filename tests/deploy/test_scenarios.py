"""What may come in the way of a deploy, on a real sshd: whatever it is, the old or the new version runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest

from edgecvar.bundle.manifest import MANIFEST, Manifest, write_manifest
from edgecvar.cli.main import main
from edgecvar.deploy.connection import device_program
from tests.deploy.programs import ROOT, light_wheel
from tests.deploy.sshd import Sshd, start_sshd, wait_for
from tests.tiny_bundle import tiny_bundle

CUT = """
import socket, sys, threading
there = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def back():
    while True:
        some = there.recv(65536)
        if not some:
            break
        sys.stdout.buffer.write(some)
        sys.stdout.buffer.flush()
threading.Thread(target=back, daemon=True).start()
left = int(sys.argv[2])
while left > 0:
    some = sys.stdin.buffer.raw.read(min(left, 65536))
    left -= len(some)
    there.sendall(some)
"""

Deploy = Callable[..., Any]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    device = start_sshd(tmp_path_factory.mktemp("device"))
    yield device
    device.stop()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return light_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def deploy(sshd: Sshd, wheel: Path, capsys: Any, monkeypatch: Any, tmp_path: Path) -> Deploy:
    """Runs the verb; its exit code, its document or its error. The first makes the environment."""
    config = tmp_path / "edge.yaml"
    config.write_text(f"page: {{port: {sshd.page}}}\n", encoding="utf-8")
    monkeypatch.setattr("edgecvar.deploy.connection.device_program", hasty_program)

    def run(bundle: Path, *more: object) -> Any:
        shared = ["--wheel", wheel, "--offline", "--config", config, "--json", "--wait", 60]
        words = ["deploy", *sshd.flags, *shared, *more, sshd.host, bundle]
        capsys.readouterr()
        try:
            main([str(word) for word in words])
        except SystemExit as stop:
            out, err = capsys.readouterr()
            return stop.code, json.loads(out) if out else err
        return 0, json.loads(capsys.readouterr().out)

    return run


def hasty_program() -> bytes:
    """The device's half, which waits for less."""
    source = device_program()
    assert b"STEADY = 2.0" in source
    return source.replace(b"STEADY = 2.0", b"STEADY = 0.3")


@pytest.fixture
def runs(sshd: Sshd, deploy: Deploy, tmp_path: Path) -> Callable[[], bool]:
    """A device that runs something; whether it is still that, untouched."""
    if sshd.release is None or not sshd.service:
        code, said = deploy(bundle_of(tmp_path / "before", "before"))
        assert code == 0, said
    release, process = sshd.release, sshd.service
    assert process

    def unchanged() -> bool:
        assert sshd.answers() and not list((sshd.root / "incoming").glob("*.part"))
        return (sshd.release, sshd.service) == (release, process)

    return unchanged


def bundle_of(folder: Path, notes: str, padding: int = 0) -> Path:
    """A tiny bundle with notes, by which the stand-in behaves."""
    root = tiny_bundle(folder)
    (root / "notes.txt").write_text(notes, encoding="utf-8")
    (root / "padding").write_bytes(os.urandom(padding))
    write_manifest(root, Manifest.model_validate(json.loads((root / MANIFEST).read_text(encoding="utf-8"))))
    return root


def test_an_update_sends_what_is_new_and_keeps_so_many_releases(
    sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path
) -> None:
    first = sshd.service
    bundle = bundle_of(tmp_path, "next")
    code, looked = deploy(bundle, "--dry-run")
    assert code == 0 and looked["release"] is None and runs()
    assert [step.split()[0] for step in looked["steps"]] == ["send", "let", "verify", "switch"]
    code, said = deploy(bundle, "--keep", 2)
    assert code == 0, said
    assert said["sent"]["files"] == 2  # notes and manifest: stages and padding are there
    assert sshd.release == f"releases/{said['release']}" and sshd.service not in (0, first) and sshd.answers()
    assert sorted(path.name for path in (sshd.root / "releases").iterdir()) == sorted(
        str(said["release"] - back) for back in (0, 1)
    )
    assert not (sshd.root / "incoming").exists()
    code, again = deploy(bundle)
    assert code == 0 and again["unchanged"] and again["release"] == said["release"] and again["sent"]["files"] == 0


def test_what_is_current_and_does_not_run_is_deployed(
    sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path
) -> None:
    old, bundle = sshd.service, bundle_of(tmp_path, "switched to")
    code, switched = deploy(bundle, "--no-service")
    assert code == 0 and sshd.service == old and sshd.release == f"releases/{switched['release']}"
    code, said = deploy(bundle)
    assert code == 0 and not said["unchanged"] and said["release"] > switched["release"] and sshd.service != old
    os.kill(sshd.service, signal.SIGTERM)
    wait_for(lambda: not sshd.service)
    code, looked = deploy(bundle, "--dry-run")
    assert code == 0 and not looked["unchanged"] and looked["steps"][-1].endswith("wait until it is well")


@pytest.mark.parametrize(
    ("notes", "cause"), [("wrong", "does not compute here what it should: cosine 0.1"), ("", "verify failed")]
)
def test_a_bundle_that_does_not_verify_never_runs(
    deploy: Deploy, runs: Callable[[], bool], tmp_path: Path, notes: str, cause: str
) -> None:
    bundle = bundle_of(tmp_path, notes)
    if not notes:  # what came is what was sent, and still cannot be run
        (bundle / "notes.txt").unlink()
        write_manifest(bundle, Manifest.model_validate(json.loads((bundle / MANIFEST).read_text())))
    code, said = deploy(bundle)
    assert code == 1 and cause in said and said.count("\n") == 1
    assert runs()


@pytest.mark.parametrize(
    ("notes", "cause"), [("falls", "cannot start"), ("deaf", "its page does not answer at http://127.0.0.1:")]
)
def test_a_service_that_is_not_well_is_taken_back(
    sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path, notes: str, cause: str
) -> None:
    before = sshd.release
    code, said = deploy(bundle_of(tmp_path, notes), "--wait", 1)
    assert code == 1 and cause in said and f"release {str(before).rpartition('/')[2]} runs again" in said
    assert sshd.release == before and sshd.service and sshd.answers()
    assert [f"releases/{path.name}" for path in (sshd.root / "releases").iterdir()].count(str(before)) == 1


def test_a_configuration_that_is_wrong_is_told_before_anything_stops(
    sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("nonsense: 1\n", encoding="utf-8")
    code, said = deploy(bundle_of(tmp_path, "fine"), "--config", wrong, "--wheel", light_wheel(tmp_path, "0.0.3"))
    assert code == 1 and "the configuration failed: error: unknown key 'nonsense'" in said and runs()
    assert list((sshd.root / "environments").glob("0.0.3*"))  # it is not what was wrong


def test_a_connection_that_is_lost_while_files_come(
    sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path
) -> None:
    cut = tmp_path / "cut.py"
    cut.write_text(CUT, encoding="utf-8")
    before = sshd.release, sshd.service
    bundle = bundle_of(tmp_path, "more", padding=2_000_000)
    code, said = deploy(bundle, "-o", f"ProxyCommand={sys.executable} {cut} {sshd.port} 1000000")
    assert code == 1 and "the connection was lost while sending" in said and said.count("\n") == 1
    wait_for(sshd.idle)
    came = {path.name for path in (sshd.root / "incoming").glob("*") if len(path.name) == 64}
    assert (sshd.release, sshd.service) == before and sshd.answers()
    code, said = deploy(bundle)
    assert code == 0 and said["sent"]["files"] == 3 - len(came)  # notes, padding, manifest: what came is there


def test_a_connection_that_is_lost_while_it_verifies(
    sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path
) -> None:
    bundle = bundle_of(tmp_path, "held")
    with Held(sshd, "verify") as held:
        code, said = deploy(bundle)
    assert code == 1 and "the connection was lost while verifying" in said
    wait_for(lambda: not Path(f"/proc/{held.process}").exists())  # it is not left to run on
    wait_for(sshd.idle)
    assert runs()
    code, said = deploy(bundle)
    assert code == 0 and said["sent"]["files"] == 0  # all had come


def test_a_connection_that_is_lost_in_the_switch_leaves_it_to_the_device(
    sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path
) -> None:
    before = sshd.release
    with Held(sshd, "serve"):
        code, said = deploy(bundle_of(tmp_path, "held in the switch"))
    assert code == 1 and "the device finishes that by itself" in said
    wait_for(sshd.idle)
    assert not (sshd.root / "incoming").exists()
    assert sshd.release != before and sshd.service and sshd.answers()


def test_a_switch_that_is_killed_is_gone_back_from(
    sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path
) -> None:
    before, bundle = sshd.release, bundle_of(tmp_path, "killed in the switch")
    with Held(sshd, "serve", then=lambda: os.kill(device_half(sshd), signal.SIGKILL)):
        code, said = deploy(bundle)
    assert code == 1 and "the device finishes that by itself" in said
    wait_for(sshd.idle)
    unjudged = sshd.release
    assert unjudged != before
    code, looked = deploy(bundle, "--dry-run")
    back = f"so the next one goes back to release {str(before).rpartition('/')[2]} first"
    assert code == 0 and not looked["unchanged"] and back in looked["notes"][0] and sshd.release == unjudged
    code, said = deploy(bundle_of(tmp_path / "worse", "wrong"))
    assert code == 1 and sshd.release == before and sshd.service and sshd.answers()
    code, said = deploy(bundle)
    assert code == 0 and said["notes"] == [] and sshd.answers()


def device_half(sshd: Sshd) -> int:
    """Its process."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            home = f"HOME={sshd.home}\0".encode()
            if b"import sys;r=" in command.read_bytes() and home in command.with_name("environ").read_bytes():
                return int(command.parent.name)
    raise AssertionError("it does not run")


def test_ctrl_c_leaves_what_runs(sshd: Sshd, wheel: Path, runs: Callable[[], bool], tmp_path: Path) -> None:
    words = [*sshd.flags, "--wheel", wheel, "--offline", sshd.host, bundle_of(tmp_path, "interrupted")]
    command = [sys.executable, "-m", "edgecvar.cli.main", "deploy", *map(str, words)]
    with Held(sshd, "verify", then=lambda: process.send_signal(signal.SIGINT)):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        _, said = process.communicate(timeout=60)
    told = said.strip().splitlines()  # and how long it takes, where it takes long
    assert process.returncode == 130 and told[-1] == "interrupted while verifying: nothing was switched"
    wait_for(sshd.idle)
    assert runs()


class Held:
    """Holds the stand-in at a place, cuts the connection (or what else `then` does), and lets it go on."""

    def __init__(self, sshd: Sshd, place: str, then: Optional[Callable[[], None]] = None) -> None:
        self._then = then or sshd.cut
        self._hold, self._holding = sshd.home / f"hold-{place}", sshd.home / f"holding-{place}"
        self.process = 0

    def __enter__(self) -> Held:
        self._hold.write_text("")
        self._thread = threading.Thread(target=self._cut)
        self._thread.start()
        return self

    def _cut(self) -> None:
        wait_for(lambda: self._holding.exists() and self._holding.read_text())
        self.process = int(self._holding.read_text())
        self._then()

    def __exit__(self, *exc: object) -> None:
        self._thread.join()
        for file in (self._hold, self._holding):
            file.unlink()


def test_one_deploy_at_a_time(sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path) -> None:
    import fcntl

    with (sshd.root / ".edgecvar-deploy").open("r+") as lock:
        lock.write("somebody on a laptop")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said = deploy(bundle_of(tmp_path, "second"))
        assert code == 1 and "another deploy is at work there (somebody on a laptop" in said and runs()


def test_a_disk_that_is_full(sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path) -> None:
    incoming = sshd.root / "incoming"
    incoming.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(incoming)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("wants the right to mount a small tmpfs")
    try:
        code, said = deploy(bundle_of(tmp_path, "large", padding=500_000))
        left = list(incoming.iterdir())
    finally:
        subprocess.run(["umount", str(incoming)], check=True)
    assert code == 1 and "No space left on device" in said and left == [] and runs()


def test_a_disk_without_room_for_it_is_not_written_to(
    sshd: Sshd, deploy: Deploy, runs: Callable[[], bool], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("edgecvar.deploy.deployment.ENVIRONMENT_BYTES", 10**18)
    other = light_wheel(tmp_path, "0.0.2")
    code, said = deploy(bundle_of(tmp_path, "next"), "--wheel", other)
    assert code == 1 and "are needed in" in said and "MB are free: make room" in said and runs()
    assert not list((sshd.root / "environments").glob("0.0.2*"))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ("known", "its host key is unknown here"),
        ("host", "its host key is not the one that ssh knows"),
        ("user", "the login was refused"),
        ("port", "no connection (ssh: connect to host 127.0.0.1 port 1: Connection refused)"),
    ],
)
def test_what_ssh_refuses_is_one_line(deploy: Deploy, sshd: Sshd, tmp_path: Path, change: str, cause: str) -> None:
    known = tmp_path / "known"
    flags = {
        "known": ["-o", f"UserKnownHostsFile={known}"],
        "host": ["-o", f"UserKnownHostsFile={known}"],
        "user": ["-i", tmp_path / "stranger"],
        "port": ["-p", 1],
    }[change]
    if change in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "stranger")], check=True)
    if change == "host":
        public = (tmp_path / "stranger.pub").read_text().split()[:2]
        known.write_text(f"[127.0.0.1]:{sshd.port} {' '.join(public)}\n")
    code, said = deploy(bundle_of(tmp_path, "any"), *flags)
    assert code == 1 and cause in said and said.count("\n") == 1
