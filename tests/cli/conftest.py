"""The command line in this process, shared by the tests of its verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Tuple

import pytest

from edgecvar.cli.main import main
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle

Edgecvar = Callable[..., Tuple[Any, str, str]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that tells left from right; not to be written to."""
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 pictures that move to the right; not to be written to."""
    return moving_clip(tmp_path_factory.mktemp("clip") / "right.mp4", pictures=40)


@pytest.fixture
def edgecvar(capsys: pytest.CaptureFixture) -> Edgecvar:
    """Exit code, stdout and stderr of the command."""

    def run(*arguments: object) -> Tuple[Any, str, str]:
        code: Any = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code or 0
        output = capsys.readouterr()
        return code, output.out, output.err

    return run
