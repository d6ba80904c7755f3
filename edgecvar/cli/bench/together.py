"""`edgecvar bench together`: streams that run at the same time in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Tuple

import click

from edgecvar.cli.flags import every_flag, runner_flags, trace_flag, trust_flag
from edgecvar.terminal import say_json


@click.command("together")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle that runs [default: the demo's].")
@trust_flag
@click.option("--streams", type=click.IntRange(1, 256), default=16, show_default=True, metavar="N", help="At a time.")
@click.option("--width", type=click.IntRange(32, 4096), default=640, show_default=True, help="Of the clip made.")
@click.option("--height", type=click.IntRange(32, 4096), default=360, show_default=True, help="Of the clip made.")
@click.option("--rate", type=click.IntRange(1, 120), default=15, show_default=True, help="Its pictures a second.")
@every_flag
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400), default=60.0, show_default=True, help="What a trial measures."
)
@click.option(
    "--warm-up", type=click.FloatRange(0, 86_400), default=5.0, show_default=True, help="Seconds before it measures."
)
@click.option("--rounds", type=click.IntRange(1, 100), default=1, show_default=True, help="Trials of each way.")
@click.option(
    "--max-batch", type=click.IntRange(2, 64), default=8, show_default=True, metavar="N", help="Launches in a batch."
)
@trace_flag
@runner_flags
@click.option("--json", "as_json", is_flag=True, help="Print every trial as one JSON document.")
def command(as_json: bool, sources: Tuple[str, ...], trace: Optional[Path], **options: Any) -> None:
    """Run streams at the same time on one engine: in batches and one by one, in turn.

    SOURCE is a file with H.264 or HEVC, which is played as live cameras over and over, or a URL; without one a clip is
    made. Of each way: decisions a second, what they wait since their packet was read and since it was sent, how even
    the streams are served, processor, memory and threads.
    """
    from edgecvar.bench.streams.together import TogetherConfig, measure_together
    from edgecvar.config import from_flags
    from edgecvar.console import Console
    from edgecvar.progress import StepBar
    from edgecvar.run.nvtx import find_ranges
    from edgecvar.run.trace import Observers
    from edgecvar.run.trace_file import tracing

    config = from_flags(TogetherConfig, {"sources": sources, **options})
    with tracing(trace, sources) as traced, StepBar() as bar:
        session = measure_together(config, bar.show, Observers(traced, find_ranges(None)))
    if as_json:
        from edgecvar.cli.report.streams.together import together_document

        say_json(together_document(session))
        return
    from edgecvar.cli.report.streams.together import print_together

    print_together(session, Console())
