"""Where a bundle comes from: the commit of the checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edgecvar.compile.provenance import git_commit


def test_the_commit_is_that_of_the_checkout(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)
        return done.stdout.decode().strip()

    git("init", "-q")
    (tmp_path / "code.py").write_text("one")
    git("add", "code.py")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD")
    assert git_commit(tmp_path) == commit
    (tmp_path / "elsewhere").mkdir()
    assert git_commit(tmp_path / "elsewhere") is None  # in a repository, but not of it
    (tmp_path / "code.py").write_text("two")
    assert git_commit(tmp_path) == f"{commit}-dirty"
