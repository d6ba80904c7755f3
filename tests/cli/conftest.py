"""The command line in this process, shared by the tests of its verbs."""

from __future__ import annotations

from typing import Any, Callable, Tuple

import pytest

from edgecvar.cli.main import main

Edgecvar = Callable[..., Tuple[Any, str, str]]


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
