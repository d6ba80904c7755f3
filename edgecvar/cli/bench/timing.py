"""`edgecvar bench`: where the time goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional

import click

from edgecvar.cli.bench.data import command as data
from edgecvar.cli.bench.extract import command as extract
from edgecvar.cli.bench.machine import command as machine
from edgecvar.cli.bench.networks import command as networks
from edgecvar.cli.bench.streams import command as streams
from edgecvar.cli.bench.together import command as together
from edgecvar.cli.flags import every_flag, extraction_flag, runner_flags, timeout_flag
from edgecvar.terminal import say, say_json

OTHERS = {
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
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle to measure [default: the demo's].")
@every_flag
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400), default=10.0, show_default=True, help="How long to measure."
)
@extraction_flag
@timeout_flag
@runner_flags
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
@click.option("--from", "saved", type=click.Path(path_type=Path), help="Show a saved session instead of measuring.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON document.")
def command(source: Optional[str], save: Path, saved: Optional[Path], as_json: bool, **options: Any) -> None:
    """Show where the time goes when a bundle runs on SOURCE [default: the demo clip].

    Reading, preparing, every stage and end to end, as p50, p90, p99 and share, with warm-up kept apart; then the
    same stage calls with nothing else going on. With --against decode also, in turn, what it takes to decode every
    picture on all cores, to scale the sampled ones to RGB, and to run the network's appearance stage on each. The
    session is saved as JSON and can be shown again with --from.
    """
    from edgecvar.bench.session import load_session, save_session

    if saved is not None:
        if source is not None:
            raise click.UsageError("give a SOURCE to measure or --from to show a saved session, not both")
        session = load_session(saved)
    else:
        from edgecvar.bench.measure import BenchConfig, measure
        from edgecvar.errors import ConfigError
        from edgecvar.files import check_writable, takes_all
        from edgecvar.progress import StepBar
        from edgecvar.stream.sources.opening import is_source

        if source is not None and is_source(source, save):
            raise ConfigError(f"--save {save}: this is the source itself; choose another name")
        if not takes_all(save):
            check_writable(save.parent)
        from edgecvar.config import from_flags

        with StepBar() as bar:
            session = measure(from_flags(BenchConfig, {"source": source, **options}), bar.show)
        save_session(session, save)
    if as_json:
        from edgecvar.cli.report.session import as_document

        say_json(as_document(session))
        return
    from edgecvar.cli.report.session import print_report
    from edgecvar.console import Console

    print_report(session, Console())
    if saved is None:
        say(f"session saved: {save} (show it again with `edgecvar bench --from {save}`)", err=True)
