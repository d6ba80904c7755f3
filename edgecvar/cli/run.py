"""`edgecvar run`: decisions over time from files, folders or a pipe."""

from __future__ import annotations

import sys
from typing import Any, Tuple

import click

from edgecvar.cli.flags import decoder_flag, every_flag, extraction_flag, runner_flags, timeout_flag


@click.command("run")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--bundle", type=click.Path(), help="Bundle to run; the one that the package ships unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, each source's summary after its last.")
@click.option("--csv", "as_csv", is_flag=True, help="One row a decision.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write here; .csv, .json and .jsonl say how.")
@click.option("--overlay", type=click.Path(), help="Also draw label and motion into this video; of several, a folder.")
@every_flag
@click.option("--top", type=int, default=5, show_default=True, help="Labels listed with each decision.")
@extraction_flag
@decoder_flag
@timeout_flag
@runner_flags
def command(as_json: bool, as_csv: bool, sources: Tuple[str, ...], **options: Any) -> None:
    """Recognise actions in SOURCE: a video, a URL, a folder, a pattern in quotes, or `-` for standard input.

    \b
    edgecvar run camera.mp4
    edgecvar run recordings/ --csv -o seen.csv
    edgecvar run rtsp://camera/stream --timeout 30
    cat camera.ts | edgecvar run - --json

    Several are run one after the other. A video that cannot be read, or gives no decision, is named, the others go on,
    and the exit code is 1. Ctrl-C and SIGTERM end a run with what it has (130 and 143).
    Damage is counted, inside pictures where they are sampled; the others are not parsed.
    Without --bundle the demo's is run.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv: one or the other")
    from edgecvar.config import from_flags
    from edgecvar.sinks.job import RunConfig, find_sources, run_job

    form = "json" if as_json else "csv" if as_csv else None
    config = from_flags(RunConfig, {**options, "sources": find_sources(sources), "form": form})
    if not run_job(config):
        sys.exit(1)
