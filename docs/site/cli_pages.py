"""A page a verb, made of the click commands as they are."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Dict, Iterator, List

import click

from edgecvar.cli.bench.timing import OTHERS
from edgecvar.cli.main import cli

CODE = re.compile(r"(`[^`]*`)")
FLAG = re.compile(r"(?<![\w-])(--?[a-zA-Z][\w-]*)")


@dataclass(frozen=True)
class CommandPage:
    """A page of the site: its title in the navigation, its place, its Markdown."""

    title: str
    path: str
    text: str


@lru_cache(maxsize=None)
def cli_pages() -> List[CommandPage]:
    """The list of all verbs, then each verb with what stands below it."""
    top = click.Context(cli, info_name="edgecvar")
    verbs = {name: cli.get_command(top, name) for name in cli.list_commands(top)}
    shown = {name: command for name, command in verbs.items() if command is not None and not command.hidden}
    rows = [f"| [`{name}`]({name}.md) | {_prose(_short(command))} |" for name, command in shown.items()]
    index = ["# The command line", _paragraphs(cli.help or ""), "\n".join(["| verb | |", "|---|---|", *rows])]
    index.append("`edgecvar VERB --help` prints what these pages have, and `-h` does the same.")
    pages = [CommandPage("All verbs", "cli/index.md", "\n\n".join(index))]
    for name, command in shown.items():
        pages.append(CommandPage(name, f"cli/{name}.md", "\n\n".join(_sections(command, f"edgecvar {name}", 1))))
    return pages


def _sections(command: click.Command, path: str, level: int) -> Iterator[str]:
    """A command called by `path`, and then those below it; `level` is that of its heading."""
    context = click.Context(command, info_name=path)
    yield f"{'#' * level} {path}"
    if command.deprecated:
        yield "Deprecated."
    yield f"```\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```"
    yield _paragraphs(command.help or "")
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    options = [(names, text) for names, text in records if text]
    if options:
        yield f"{'#' * (level + 1)} Options {{#{path.replace(' ', '-')}-options}}"
        yield "\n\n".join(f"`{names}`\n:   {_prose(text)}" for names, text in options)
    for name, below in _below(command, context).items():
        yield from _sections(below, f"{path} {name}", level + 1)


def _below(command: click.Command, context: click.Context) -> Dict[str, click.Command]:
    """The commands of a group, and those that `bench` hands over to."""
    if isinstance(command, click.Group):
        found = {name: command.get_command(context, name) for name in command.list_commands(context)}
    elif context.info_name == "edgecvar bench":
        found = {"--for DEVICE" if usage[0] == "-" else usage.split(" ")[0]: other for usage, other in OTHERS.items()}
    else:
        found = {}
    return {name: below for name, below in found.items() if below is not None and not below.hidden}


def _short(command: click.Command) -> str:
    return command.get_short_help_str(limit=200)


def _paragraphs(text: str) -> str:
    r"""A docstring's paragraphs; one after `\b`, as click marks what it must not wrap, is a block of code."""
    made = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if paragraph.startswith("\b"):
            made.append(f"```bash\n{paragraph[1:].strip()}\n```")
        else:
            made.append(_prose(" ".join(paragraph.split())))
    return "\n\n".join(made)


def _prose(text: str) -> str:
    """Help as Markdown: nothing in it is markup but backticks, and flags are code."""
    parts = CODE.split(text)
    for place in range(0, len(parts), 2):
        plain = re.sub(r"([\\*_\[\]#])", r"\\\1", parts[place]).replace("<", "&lt;").replace("|", "&#124;")
        parts[place] = FLAG.sub(r"`\1`{.flag}", plain)
    return "".join(parts)
