"""`edgecvar bench`: where the time goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import click


@click.command("bench")
@click.argument("source", required=False, type=click.Path(path_type=Path))
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle to measure [default: the demo's].")
@click.option("--every", type=click.IntRange(min=1), help="Sample every k-th picture [default: the bundle's stride].")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="How long to measure.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the engine [default: all cores].")
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    default=Path("bench-session.json"),
    show_default=True,
    help="Where the session goes.",
)
@click.option("--from", "saved", type=click.Path(path_type=Path), help="Show a saved session instead of measuring.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON document.")
def command(source: Optional[Path], save: Path, saved: Optional[Path], as_json: bool, **options: Any) -> None:
    """Show where the time goes when a bundle runs on SOURCE [default: the demo clip].

    Reading, preparing, every stage and end to end, as p50, p90, p99 and share, with warm-up kept apart; then the
    same stage calls with nothing else going on. The session is saved as JSON and can be shown again with --from.
    """
    from edgecvar.bench.session import load_session, save_session

    if saved is not None:
        if source is not None:
            raise click.UsageError("give a SOURCE to measure or --from to show a saved session, not both")
        session = load_session(saved)
    else:
        from edgecvar.bench.measure import BenchConfig, measure

        session = measure(BenchConfig(source=source, **options))
        save_session(session, save)
    if as_json:
        import json

        from edgecvar.bench.report import as_document

        click.echo(json.dumps(as_document(session)))
        return
    from rich.console import Console

    from edgecvar.bench.report import print_report

    print_report(session, Console(soft_wrap=False))
    if saved is None:
        click.echo(f"session saved: {save} (show it again with `edgecvar bench --from {save}`)", err=True)
