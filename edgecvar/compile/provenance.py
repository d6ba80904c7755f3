"""Where a bundle comes from: code, tools, checkpoint."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Dict, Optional

from edgecvar import __version__
from edgecvar.bundle.manifest import Provenance
from edgecvar.compile.subject import Subject
from edgecvar.files import sha256_of

TOOLS = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy", "av")


def describe_origin(subject: Subject) -> Provenance:
    """The provenance of a bundle made of `subject` by this installation."""
    return Provenance(
        model=subject.model,
        untrained=subject.untrained,
        recipe=subject.recipe,
        git_commit=git_commit(Path(__file__).parent),
        checkpoint_sha256=None if subject.checkpoint is None else sha256_of(subject.checkpoint),
        tools=_tools(),
    )


def git_commit(folder: Path) -> Optional[str]:
    """The commit of the code in `folder`, with "-dirty" when tracked files differ; None outside a checkout."""
    tracked = _git(folder, "ls-files")
    commit = _git(folder, "rev-parse", "HEAD")
    if not tracked or not commit:
        return None
    return f"{commit}-dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _tools() -> Dict[str, str]:
    tools = {"edgecvar": __version__, "python": platform.python_version()}
    for name in TOOLS:
        try:
            tools[name] = version(name)
        except PackageNotFoundError:
            continue
    return tools
