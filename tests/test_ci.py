"""The workflow's own script, with stand-ins for what it calls."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent


def stand_in(folder: Path, name: str, body: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of programs that takes the place of PATH: nobody's rights, no apt-get, any Python that is asked for."""
    for name, body in {"id": "echo 1000", "nproc": "echo 2", "python3": "echo Python 3.8"}.items():
        stand_in(tmp_path, name, body)
    for name in ("bash", "dirname", "env", "sleep"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def ci(tools: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(tools), "HOME": str(tools)}
    return subprocess.run([TOP / ".ci" / "run"], env=environment, capture_output=True, text=True, timeout=20)


def test_what_is_installed_beside_ends_with_a_test_that_fails(tools: Path) -> None:
    """It holds the output open, for which whoever started the script waits."""
    stand_in(tools, "python3.8", "")
    stand_in(tools, "make", 'case "$*" in *device-environment*) exec sleep 60;; test) exit 3;; esac')
    assert ci(tools).returncode == 3


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_a_system_s_newer_python_is_found(tools: Path, version: str) -> None:
    stand_in(tools, f"python{version}", "")
    stand_in(tools, "make", 'echo "made $*"')
    done = ci(tools)
    assert done.returncode == 0, done.stderr
    assert f"made test-newest PYTHON={tools}/python{version}" in done.stdout
    assert "no Python 3.8 on this machine" in done.stdout
