"""Who may be named, what ssh is told, and what its refusals come to."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from edgecvar.deploy.connection import why_lost
from edgecvar.deploy.target import RUN, Target
from edgecvar.errors import ConfigError

HOSTILE = ["-oProxyCommand=touch x", "-p", "me@-oProxyCommand=x", "", "a b", "me@", "@h", "a\nb", "h\x1b[31m", "a@b@c"]


@pytest.mark.parametrize("host", [*HOSTILE, "`id`", "$(id)@h", "h;id"])
def test_a_host_that_could_be_an_option_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="is no device"):
        Target(host)


@pytest.mark.parametrize("host", ["jetson", "me@10.0.0.3", "me@fe80::1%eth0", "me@[::1]", "SITE\\me@host.lan"])
def test_a_host_that_ssh_takes_is_taken(host: str) -> None:
    assert Target(host).command(may_ask=True)[-2] == host


def test_the_shell_there_is_asked_for_one_thing_whatever_is_deployed() -> None:
    target = Target("me@jetson", 2222, Path("my key"), Path("cfg"), ("ProxyJump=gate", "LogLevel=QUIET"))
    command = target.command(may_ask=False)
    assert command[-3:] == ["--", "me@jetson", RUN] and "BatchMode=yes" in command
    given = ["-p", "2222", "-i", "my key", "-F", "cfg", "-o", "ProxyJump=gate", "-o", "LogLevel=QUIET"]
    assert command[1:11] == given
    assert "BatchMode=yes" not in target.command(may_ask=True)
    assert shlex.split(RUN)[:3] == ["exec", "python3", "-c"] and len(shlex.split(RUN)) == 4


def test_the_line_for_the_page_is_a_command() -> None:
    line = Target("me@jetson", identity=Path("my key")).tunnel("::1", 8470)
    assert shlex.split(line) == ["ssh", "-i", "my key", "-L", "8470:[::1]:8470", "me@jetson"]


@pytest.mark.parametrize(
    ("code", "errors", "step", "said"),
    [
        (127, ["bash: line 1: exec: python3: not found"], "connecting", "it has no python3 that runs"),
        (255, ["ssh: Could not resolve hostname x: Name or service not known"], "connecting", "Could not resolve"),
        (255, [], "switching", "finishes that by itself, or what ran before"),
        (255, [], "building engines", "what ran there runs as before"),
    ],
)
def test_what_is_lost_is_told_by_when(code: int, errors: list, step: str, said: str) -> None:
    told = why_lost(code, errors, step, Target("jetson"))
    assert said in told and "\n" not in told
