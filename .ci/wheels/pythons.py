"""Pythons to build for and to try wheels with: this machine's own, or Debian's in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

# Of AArch64 there is what Debian has; a suite that has left the archive is left out by name.
SUITES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie", "3.14": "sid"}
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
# What Linux tells on AArch64: the emulator would show this machine's, of which ONNX Runtime crashes.
CPUINFO = """processor: {}
Features: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer: 0x41
CPU architecture: 8
CPU variant: 0x1
CPU part: 0xd07
CPU revision: 0

"""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Python:
    """An interpreter: the words that start it, and what its environments are started with in front of their own."""

    executable: Path
    launcher: List[str]
    pip: Optional[List[Path]] = None  # wheels of pip to import it from, where the interpreter cannot start a child

    def run(self, *words: object, **options: object) -> subprocess.CompletedProcess:
        """One command of it, or of an environment of it where the first word is that one's interpreter."""
        return subprocess.run([*self.launcher, *map(str, words)], **options)  # type: ignore[call-overload]


def installed(version: str) -> Optional[Path]:
    """This machine's own interpreter of a version ("3.12", "3.14t"), on PATH or under pyenv."""
    under_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(under_pyenv.glob(f"*/bin/python{version}"))]
    for candidate in filter(None, found):
        # On PATH it may be pyenv's stand-in: a script that wants a shell, or a version that is not chosen.
        ask = [candidate, "-c", "import sys; print(sys.executable)"]
        told = subprocess.run(ask, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        if told.returncode == 0:
            return Path(told.stdout.strip())
    return None


def userland(version: str, processor: str, folder: Path) -> Optional[Path]:
    """Debian's Python with its headers, unpacked under `folder`; None where there is none to be had.

    Nothing is installed: apt keeps its lists and packages there, and no package's scripts are run.
    """
    suite = SUITES.get(version)
    if suite is None or shutil.which("apt-get") is None or not Path(KEYRING).exists():
        return None
    place = (folder / f"{suite}-{processor}").resolve()
    root = place / "root"
    if (place / "ready").exists():
        return root
    shutil.rmtree(place, ignore_errors=True)
    settings = _apt(place, suite, DEBIAN[processor])
    environment = {**os.environ, "APT_CONFIG": str(settings)}
    packages = [f"python{version}-venv", f"libpython{version}-dev", "libstdc++6"]
    wanted = ["install", "-qq", "--yes", "--download-only", "--no-install-recommends", *packages]
    for words in (["update", "-qq"], wanted):
        done = subprocess.run(["apt-get", *words], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"Debian's Python {version} for {processor}: {done.stderr.strip()[-200:]}", flush=True)
            return None
    for package in sorted((place / "cache" / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], check=True)
    for name in ("lib", "lib64"):  # whose link is made by a package's script
        if not (root / name).exists() and (root / "usr" / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    (place / "ready").touch()
    return root


def _apt(place: Path, suite: str, architecture: str) -> Path:
    """Settings of an apt that knows one suite of one architecture, and nothing of this machine."""
    for name in ("state/lists/partial", "cache/archives/partial", "root"):
        (place / name).mkdir(parents=True)
    (place / "status").touch()
    mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
    (place / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n", encoding="utf-8")
    settings = {
        "Dir::State": place / "state",
        "Dir::State::status": place / "status",
        "Dir::Cache": place / "cache",
        "Dir::Etc::sourcelist": place / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
    }
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    (place / "apt.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place / "apt.conf"


def headers(version: str, processor: str, folder: Path) -> Optional[Path]:
    """The folder of Python.h. An installed Python's serves both processors: they differ in nothing that it looks at."""
    own = installed(version)
    if own is not None:
        ask = "import sysconfig; print(sysconfig.get_path('include'))"
        told = subprocess.run([str(own), "-c", ask], capture_output=True, text=True, check=True)
        include = Path(told.stdout.strip())
        if (include / "Python.h").exists():
            return include
    root = userland(version, processor, folder)
    if root is None:
        return None
    name = f"python{version}"
    include = root.parent / "include" / name
    shutil.copytree(root / "usr" / "include" / name, include, dirs_exist_ok=True)
    # Debian's own pyconfig.h looks for this one beside the headers of the C library, which are not to be seen here.
    shutil.copy(root / "usr" / "include" / f"{processor}-linux-gnu" / name / "pyconfig.h", include / "pyconfig.h")
    return include


def runnable(version: str, processor: str, folder: Path) -> Optional[Python]:
    """A Python of that version and processor that runs here, emulated where it must be; None where there is none."""
    native = os.uname().machine == processor
    own = installed(version) if native else None
    if own is not None:
        return Python(own, [])
    emulator = None if native else shutil.which(f"qemu-{processor}") or shutil.which(f"qemu-{processor}-static")
    if not native and emulator is None:
        return None
    root = userland(version, processor, folder)
    if root is None:
        return None
    executable = root / "usr" / "bin" / f"python{version}"
    pip = sorted((root / "usr" / "share" / "python-wheels").glob("*.whl"))
    if emulator:
        # Under the folder that the emulator looks into first.
        (root / "proc").mkdir(exist_ok=True)
        # As many as the emulator says that there are.
        told = "".join(CPUINFO.format(number) for number in range(os.cpu_count() or 1))
        (root / "proc" / "cpuinfo").write_text(told, encoding="utf-8")
        return Python(executable, [emulator, "-L", str(root)], pip)
    (loader,) = root.glob("lib*/ld-linux-*.so.*")
    return Python(executable, [str(loader), "--library-path", str(root / f"usr/lib/{processor}-linux-gnu")], pip)
