"""Any words as a command line: parsed, or refused as click refuses."""

from __future__ import annotations

import os
from typing import Dict

import click

from edgecvar.cli.flags import precision_list
from edgecvar.cli.main import VERBS, cli
from edgecvar.errors import EdgecvarError


def seeds() -> Dict[str, bytes]:
    """Every verb with all of its options, each word ended by a zero byte."""
    found = {}
    for verb in VERBS:
        command = cli.get_command(click.Context(cli), verb)
        assert command is not None
        words = [verb, "clip.mp4"]
        for option in command.params:
            if isinstance(option, click.Option):
                words += [option.opts[0]] if option.is_flag else [option.opts[0], "fp32,int8"]
        found[verb] = b"\0".join(word.encode() for word in words)
    return found


def check(data: bytes) -> None:
    """Words as the system gives them; a verb's own body is not entered, since it may write where it is told to."""
    words = [os.fsdecode(word) for word in data.split(b"\0")]
    try:
        context = cli.make_context("edgecvar", list(words), resilient_parsing=False)
        _, command, arguments = cli.resolve_command(context, words)
        if command is not None:
            command.make_context(words[0], arguments, parent=context)
        precision_list(words[-1])
    except (click.ClickException, click.exceptions.Exit, EdgecvarError):
        pass
