"""Which processes have to do with a folder, and since when."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from edgecvar.deploy.device.processes import oldest_in, started


def test_the_oldest_that_runs_in_a_folder(tmp_path: Path) -> None:
    state, near = tmp_path / "root" / "state", tmp_path / "root2"
    for folder in (state, near):
        folder.mkdir(parents=True)
    wait = [sys.executable, "-c", "input()"]
    with subprocess.Popen(wait, cwd=str(near), stdin=subprocess.PIPE):
        assert oldest_in(tmp_path / "root") is None
    with subprocess.Popen(wait, cwd=str(state), stdin=subprocess.PIPE) as child:
        since = oldest_in(tmp_path / "root")
        began = started(child.pid)
        assert since is not None and began is not None and abs(since - began) < 1 and began <= time.time() + 1
        with subprocess.Popen([*wait, f"{tmp_path}/root/current"], stdin=subprocess.PIPE):
            again = oldest_in(tmp_path / "root")
            assert again is not None and abs(again - since) < 1
    with subprocess.Popen([*wait, f"{tmp_path}/root/current/config.yaml"], stdin=subprocess.PIPE):
        assert oldest_in(tmp_path / "root") is not None
    assert started(os.getpid()) is not None and started(2**22 + 1) is None
