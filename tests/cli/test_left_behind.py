"""What a run leaves behind: nothing but what it was told to write, and no word to anyone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

from edgecvar.bundle.default import default_clip
from tests.tiny_bundle import tiny_bundle

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import os, sys

def watch(event, arguments):
    if event == "open":
        _, mode, flags = arguments
        wrote = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(flags, int) else "w" in (mode or "")
        if wrote and str(arguments[0]) != os.devnull:
            print("wrote", arguments[0], file=sys.stderr)
    elif event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "os.mkdir", "os.rename"):
        print(event, arguments[1:], file=sys.stderr)

sys.dont_write_bytecode = True
sys.addaudithook(watch)
from edgecvar.cli.main import main
main(sys.argv[1:])
"""


def run_apart(folder: Path, home: Path, *arguments: object) -> subprocess.CompletedProcess:
    """`edgecvar` in a process whose every folder is empty and below `folder`, its telemetry as a user's is."""
    environment: Dict[str, str] = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    for name in ("HOME", "TMPDIR"):
        environment[name] = str(home)
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def tree(folder: Path) -> Dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_a_run_writes_nothing_but_what_it_is_told_to(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    before = tree(tmp_path)
    done = run_apart(tmp_path, home, "run", default_clip(), "--bundle", bundle, "--runner", "onnx")
    assert (done.returncode, done.stderr) == (0, "")
    assert "decisions" in done.stdout
    assert tree(tmp_path) == before


def test_a_home_that_cannot_be_written_is_no_reason_to_warn(tmp_path: Path) -> None:
    # Not even root writes below a file.
    (tmp_path / "file").write_text("")
    bundle = tiny_bundle(tmp_path)
    done = run_apart(
        tmp_path, tmp_path / "file" / "home", "run", default_clip(), "--bundle", bundle, "--runner", "onnx"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_user_who_wants_the_telemetry_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgecvar.runners.onnx import onnx_runtime

    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    onnx_runtime()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"
