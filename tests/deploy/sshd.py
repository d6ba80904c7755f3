"""A real sshd on a port of the loopback, with keys and a home of its own: the device that deploys are tried on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from edgecvar.deploy.device.place import Place
from tests.deploy.programs import JOURNALCTL, SYSTEMCTL, program, quick_python


@dataclass
class Sshd:
    """`home` is what HOME is to those who log in; `flags` lead there."""

    home: Path
    port: int
    page: int
    process: subprocess.Popen[bytes]
    host: str
    flags: List[str]

    @property
    def root(self) -> Path:
        return self.home / ".local" / "share" / "edgecvar"

    @property
    def release(self) -> Optional[str]:
        """What `current` leads to."""
        link = self.root / "current"
        return os.readlink(link) if link.is_symlink() else None

    @property
    def service(self) -> int:
        """The process of the service; 0 where none runs."""
        number = int((self.home / "pid").read_text())
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return 0
        return 0 if state == "Z" else number

    def answers(self) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/healthz", timeout=5) as answer:
            return answer.read()

    def sessions(self) -> List[int]:
        """The processes of those that are logged in."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                found.append(int(stat.parent.name))
        return found

    def idle(self) -> bool:
        """Whether no deploy is at work there: the device's half goes on for a moment after its session has ended."""
        return Place(self.root).held_by() is None

    def cut(self) -> None:
        """What a cable that is pulled comes to when somebody has noticed."""
        for session in self.sessions():
            os.kill(session, signal.SIGKILL)

    def stop(self) -> None:
        if (self.home / "pid").exists() and self.service:
            os.kill(self.service, signal.SIGTERM)
        self.cut()
        self.process.terminate()
        self.process.wait()


def wait_for(what: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def start_sshd(folder: Path) -> Sshd:
    """Skips where there is none."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or shutil.which("ssh") is None:
        pytest.skip("wants sshd and ssh (openssh-server)")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    home, port = folder / "home", free_port()
    for each in (home, folder / "bin"):
        each.mkdir()
    for name, source in {"systemctl": SYSTEMCTL, "journalctl": JOURNALCTL, "loginctl": ""}.items():
        program(folder / "bin" / name, source)
    quick_python(folder / "bin")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    settings: Dict[str, Any] = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "yes",
        "SetEnv": f"HOME={home} PATH={folder / 'bin'}:/usr/bin:/bin",
    }
    lines = "".join(f"{name} {value}\n" for name, value in settings.items())
    (folder / "sshd_config").write_text(lines, encoding="utf-8")
    public = (folder / "host.pub").read_text(encoding="utf-8").split()[:2]
    (folder / "known").write_text(f"[127.0.0.1]:{port} {' '.join(public)}\n", encoding="utf-8")
    (folder / "ssh_config").write_text(f"UserKnownHostsFile {folder / 'known'}\nIdentitiesOnly yes\n", encoding="utf-8")
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen(
            [sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stdin=subprocess.DEVNULL, stderr=log
        )
    wait_for(lambda: b"listening" in (folder / "sshd.log").read_bytes() or process.poll() is not None, 20)
    assert process.poll() is None, (folder / "sshd.log").read_text()
    flags = ["-p", port, "-i", folder / "user", "-F", folder / "ssh_config"]
    return Sshd(home, port, free_port(), process, f"{getuser()}@127.0.0.1", [str(flag) for flag in flags])
