"""`edgecvar bench`: where the time goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional

import click

from edgecvar.cli.bench.data import command as data
from edgecvar.cli.bench.extract import command as extract
from edgecvar.cli.bench.machine import command as machine
from edgecvar.cli.bench.networks import command as networks
from edgecvar.cli.bench.predicted import command as predicted
from edgecvar.cli.bench.published import command as published
from edgecvar.cli.bench.streams import command as streams
from edgecvar.cli.bench.together import command as together
from edgecvar.cli.flags import (
    engine_flags,
    every_flag,
    exits_flag,
    extraction_flag,
    refuse_bundle,
    runner_flag,
    timeout_flag,
    trace_flag,
    trust_flag,
)
from edgecvar.terminal import say

OTHERS = {
    "--for DEVICE [SOURCE]": predicted,
    "published": published,
    "streams PATH...": streams,
    "together [SOURCE...]": together,
    "extract PATH...": extract,
    "networks RUN...": networks,
    "data RECIPE": data,
    "machine": machine,
}
"""By usage, the commands that the first argument may name."""


class _Bench(click.Command):
    """A command that hands over to another one where that is its first argument."""

    def make_context(
        self, info_name: Optional[str], args: List[str], parent: Optional[click.Context] = None, **extra: Any
    ) -> click.Context:
        if any(each == "--for" or each.startswith("--for=") for each in args):
            return predicted.make_context(info_name, args, parent, **extra)
        for other in OTHERS.values():
            if args and args[0] == other.name:
                return other.make_context(f"{info_name} {other.name}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Also"):
            formatter.write_dl(
                [(f"{ctx.command_path} {usage}", other.get_short_help_str(80)) for usage, other in OTHERS.items()]
            )


@click.command("bench", cls=_Bench)
@click.argument("source", required=False)
@click.option(
    "--bundle",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Bundle to measure [default: the demo's]; several are measured in turn.",
)
@trust_flag
@every_flag
@exits_flag
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400), default=10.0, show_default=True, help="How long to measure."
)
@extraction_flag
@timeout_flag
@runner_flag
@click.option(
    "--precision",
    metavar="LIST",
    help="Of the stages, such as fp32,int8 [default: fp32 on ONNX Runtime; fp16 on TensorRT, if the bundle has it].",
)
@engine_flags
@click.option(
    "--against",
    type=click.Choice(["decode"]),
    help="Also measure, in turn, decoding every picture with FFmpeg and looking at the sampled ones.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    default=Path("bench-session.json"),
    show_default=True,
    help="Where the session goes.",
)
@trace_flag
@click.option(
    "--nvtx/--no-nvtx",
    default=None,
    help="Mark the same as NVTX ranges for NVIDIA's profilers [default: under Nsight Systems].",
)
@click.option("--from", "saved", type=click.Path(path_type=Path), help="Show a saved session instead of measuring.")
@click.option(
    "--report", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write an HTML page of it, too."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON document.")
def command(
    source: Optional[str], save: Path, saved: Optional[Path], page: Optional[Path], as_json: bool, **options: Any
) -> None:
    """Show where the time goes when a bundle runs on SOURCE [default: the demo clip].

    Reading, preparing, every stage and end to end, as p50, p90, p99 and share, with warm-up kept apart; then the
    same stage calls with nothing else going on. With --against decode also, in turn, what it takes to decode every
    picture on all cores, to scale the sampled ones to RGB, and to run the network's appearance stage on each. Several
    bundles and precisions are measured in turn and shown side by side. The session is saved as JSON and can be shown
    again with --from; --report makes one HTML page of it.
    """
    refuse_bundle(source)
    if page is not None:
        from edgecvar.cli.bench.page import check_page

        check_page(page, source, saved or save)
    if saved is None:
        from edgecvar.cli.bench.sessions import measured

        sessions = measured(source, save=save, **options)
    else:
        if source is not None:
            raise click.UsageError("give a SOURCE to measure or --from to show a saved session, not both")
        from edgecvar.bench.session import load_sessions

        sessions = load_sessions(saved)
    if page is not None:
        from edgecvar.cli.report.bench_page.page import write_sessions_page

        write_sessions_page(page, sessions)
    from edgecvar.cli.bench.sessions import show

    show(sessions, as_json)
    if saved is None and not as_json:
        say(f"session saved: {save} (show it again with `edgecvar bench --from {save}`)", err=True)
