"""The `edgecvar` command: verbs are imported only when one is asked for."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any, List, Optional, Tuple

import click

from edgecvar import __version__
from edgecvar.errors import EdgecvarError, import_reason, unknown_name
from edgecvar.interrupts import exit_code, listening
from edgecvar.terminal import say, settle_streams

VERBS = {
    "run": "Recognise actions in a video: decisions over time.",
    "sources": "List cameras, or try one: what it sends, what to change.",
    "scan": "Run a bundle over an archive: a row a decision and an event.",
    "serve": "Run cameras for months, told by a file, with a page to look at.",
    "inspect": "Show what a video's bitstream, or a network, is made of.",
    "extract": "Export a video's vectors, references and residuals.",
    "models": "List the networks: paper, cost, what is verified, tables repeated.",
    "synth": "Write small labelled videos whose classes differ by motion alone.",
    "prepare": "Encode a published data set as a paper had it.",
    "train": "Train a network on labelled videos.",
    "ablate": "Train a recipe's ablations and print their table.",
    "compile": "Turn a checkpoint into a bundle.",
    "build": "Build a bundle's TensorRT engines, on the device that runs them.",
    "deploy": "Put a bundle on a device over ssh, and run it there.",
    "devices": "Show the devices that a bundle can be compiled for.",
    "verify": "Check that every runner and precision of a bundle computes the same.",
    "eval": "Measure a bundle or a checkpoint on labelled clips.",
    "doctor": "Say what is installed, what works here, what is missing.",
    "bundle": "Say what a bundle is, what two differ in; sign one.",
    "bench": "Show where the time goes, stage by stage.",
}
_FOLDERS = {"synth": "data.", "prepare": "data.", "deploy": "fleet.", "bundle": "fleet.", "doctor": "fleet."}
"""Of the verbs that stand with others of their kind."""


class Verbs(click.Group):
    """A group whose commands live in `edgecvar.cli.<verb>`, or a folder in it, and are imported on demand."""

    def list_commands(self, ctx: click.Context) -> List[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Optional[click.Command]:
        if cmd_name not in VERBS:
            return None
        module = f"edgecvar.cli.{_FOLDERS.get(cmd_name, '')}{cmd_name}"
        command: click.Command = importlib.import_module(module).command
        return command

    def resolve_command(self, ctx: click.Context, args: List[str]) -> Tuple[Any, Any, List[str]]:
        if args and args[0] not in VERBS:
            raise click.UsageError(str(unknown_name("verb", args[0], VERBS)))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read the output has enough; what Python would still flush at exit must go nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgecvar")
def cli() -> None:
    """Action recognition on compressed video, for NVIDIA Jetson."""


def main(args: Optional[List[str]] = None) -> None:
    """Run the command line; an expected error becomes one line on stderr and exit code 1, Ctrl-C 130, SIGTERM 143."""
    settle_streams()
    try:
        with listening():
            cli.main(args=args, prog_name="edgecvar", standalone_mode=False)
    except click.ClickException as error:
        _show_usage(error)
        sys.exit(error.exit_code)
    except EdgecvarError as error:
        say(f"error: {error}", err=True)
        sys.exit(1)
    except (OSError, ImportError) as error:
        if isinstance(error, ImportError) and (error.name or "").startswith("edgecvar"):
            raise
        say(f"error: {import_reason(error)}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort) as error:
        cause = error.__cause__ or error  # click has wrapped it
        say(str(cause) or "interrupted", err=True)
        sys.exit(exit_code(cause))


def _show_usage(error: click.ClickException) -> None:
    """The error as click words it, on several lines; what was typed comes back in it."""
    shown = io.StringIO()
    error.show(shown)
    for line in shown.getvalue().rstrip("\n").split("\n"):
        say(line, err=True)


if __name__ == "__main__":
    main()
