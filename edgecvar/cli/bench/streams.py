"""`edgecvar bench streams`: how many cameras this machine takes in real time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecvar.cli.flags import every_flag, extraction_flag, runner_flags, trust_flag
from edgecvar.terminal import say_json


@click.command("streams")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle that runs [default: the demo's].")
@trust_flag
@every_flag
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400), default=8.0, show_default=True, help="What a trial measures."
)
@click.option(
    "--most", type=click.IntRange(1, 4096), default=256, show_default=True, metavar="N", help="Streams at a time."
)
@click.option(
    "--processes",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="That share the streams [default: one a core; one with TensorRT].",
)
@extraction_flag
@runner_flags
@click.option("--json", "as_json", is_flag=True, help="Print every trial and the figures as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Find how many cameras of one kind run in real time.

    PATH is a file, or a folder whose video files are all taken: each stands for cameras that send pictures at its own
    pace, and is played again where it ends, so take some that are as long as a trial. Their number is doubled and
    halved until one more decides later than a second after its picture, falls behind, or leaves pictures out: once for
    reading the compressed video, and once for decoding every picture, scaling the sampled ones to RGB and running the
    network's appearance stage on each, a trial of the one and a trial of the other in turn.
    """
    from edgecvar.bench.streams.measure import StreamsConfig, measure_streams
    from edgecvar.config import from_flags
    from edgecvar.console import Console
    from edgecvar.progress import StepBar

    with StepBar() as bar:
        session = measure_streams(from_flags(StreamsConfig, options), bar.show)
    if as_json:
        from edgecvar.cli.report.streams.most import streams_document

        say_json(streams_document(session))
        return
    from edgecvar.cli.report.streams.most import print_streams

    print_streams(session, Console())
