"""`edgecvar run`: decisions over time from a file or a pipe."""

from __future__ import annotations

from typing import Any

import click

from edgecvar.cli.flags import runner_flags


@click.command("run")
@click.argument("source")
@click.option("--bundle", type=click.Path(), help="Bundle to run; the one that the package ships unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, the summary last.")
@click.option("--overlay", type=click.Path(), help="Also write this video with label and motion field drawn in.")
@click.option("--every", type=int, help="Sample every K-th picture; the bundle's stride unless given.")
@click.option("--top", type=int, default=5, show_default=True, help="Labels listed with each decision.")
@runner_flags
def command(**options: Any) -> None:
    """Recognise actions in SOURCE, a video file or `-` for standard input."""
    from edgecvar.cli.run_job import RunConfig, run_job
    from edgecvar.config import from_flags

    run_job(from_flags(RunConfig, options))
