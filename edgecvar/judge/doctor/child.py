"""A look that may crash or hang, taken by a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Dict, List, Sequence

from edgecvar.errors import reason
from edgecvar.judge.doctor.finding import Finding

SECONDS = 120.0
"""torch alone takes some on a small device that has just been started."""
_BEGIN = """
import sys
sys.path[:] = {path!r}
import runpy
runpy.run_module("edgecvar.judge.doctor.probes", run_name="__main__", alter_sys=True)
"""
"""With the modules that are found here: `python -m` would first look into the current folder, whoever filled it."""


def looked(words: Sequence[str], otherwise: Finding, seconds: float = SECONDS) -> List[Finding]:
    """What `probes` finds for these words; where its process crashes or hangs, `otherwise` as broken, with why."""
    command = [sys.executable, "-c", _BEGIN.format(path=sys.path), *words]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, env=_environment()
        )
    except subprocess.TimeoutExpired:
        remedy = "run it again when this machine has less to do"
        return [replace(otherwise, state="broken", detail=f"no answer within {seconds:g} s", remedy=remedy)]
    except OSError as error:
        return [replace(otherwise, state="broken", detail=reason(error))]
    try:
        answer = done.stdout.decode("utf-8", "replace").splitlines()[-1]
        return [Finding(**fields) for fields in json.loads(answer)]
    except (IndexError, TypeError, ValueError):
        return [replace(otherwise, state="broken", detail=_cause(done))]


def _environment() -> Dict[str, str]:
    """What a bundle of strangers would need is not asked of the shipped one."""
    environment = {name: value for name, value in os.environ.items() if name != "EDGECVAR_TRUST"}
    return {**environment, "PYTHONIOENCODING": "utf-8"}


def _cause(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        try:
            return f"its process crashed ({signal.Signals(-done.returncode).name})"
        except ValueError:
            return f"its process crashed (signal {-done.returncode})"
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return " ".join((said[-1] if said else f"exit code {done.returncode}").split())[:200]
