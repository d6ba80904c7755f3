"""`edgecvar run`: decisions over time from files, cameras or a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Tuple

import click

from edgecvar.cli.flags import (
    decoder_flag,
    every_flag,
    exits_flag,
    extraction_flag,
    runner_flags,
    timeout_flag,
    trace_flag,
    trust_flag,
)


@click.command("run")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--bundle", type=click.Path(), help="Bundle to run; the one that the package ships unless given.")
@trust_flag
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, each source's summary after its last.")
@click.option("--csv", "as_csv", is_flag=True, help="One row a decision.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write here; .csv, .json and .jsonl say how.")
@click.option("--overlay", type=click.Path(), help="Also draw label and motion into this video; of several, a folder.")
@click.option("--to", multiple=True, metavar="URI", help="Also deliver there; several times for several places.")
@click.option("--spool", type=click.Path(), metavar="FOLDER", help="Keep here what waits to be delivered.")
@click.option("--together", is_flag=True, help="Run several sources at the same time, on one engine.")
@every_flag
@exits_flag
@click.option("--events", is_flag=True, help="Say where labels begin and end; CSV has a row an event then.")
@click.option(
    "--event-file", type=click.Path(), metavar="FILE", help="When an event begins and ends, as `eval --thresholds -o`."
)
@click.option(
    "--event", "event", multiple=True, metavar="KEY=VALUE", help="As in that file: on=0.8, labels.fight.hold=1"
)
@click.option("--clips", type=click.Path(), metavar="DIR", help="Cut a clip around each event into this folder.")
@click.option(
    "--clip-before",
    type=float,
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Of the stream, before the event.",
)
@click.option(
    "--clip-after",
    type=float,
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Of the stream, after the event.",
)
@click.option(
    "--clip-longest", type=float, default=60.0, show_default=True, metavar="SECONDS", help="Of a clip, at most."
)
@click.option("--clips-keep", metavar="TIME", help="Remove clips that are older, such as 12h or 7d.")
@click.option("--clips-size", metavar="SIZE", help="Remove the oldest where all are larger, such as 500MB or 2GB.")
@click.option("--top", type=int, default=5, show_default=True, help="Labels listed with each decision.")
@extraction_flag
@decoder_flag
@timeout_flag
@click.option(
    "--reconnect/--no-reconnect",
    default=None,
    help="Wait for a URL, and open it again when it goes away [default: cameras and live streams; never files].",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    metavar="SECONDS",
    help="Give a live source up when it has been away for so long [default: never].",
)
@click.option(
    "--late",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Of a live source, how late a decision may be: beyond, fewer pictures are sampled.",
)
@trace_flag
@runner_flags
def command(as_json: bool, as_csv: bool, sources: Tuple[str, ...], **options: Any) -> None:
    """Recognise actions in SOURCE: a video, a URL, a folder, a pattern in quotes, or `-` for standard input.

    \b
    edgecvar run camera.mp4
    edgecvar run recordings/ --csv -o seen.csv
    edgecvar run rtsp://camera/stream --timeout 30
    edgecvar run rtsp://door/stream rtsp://yard/stream --together --json
    edgecvar run v4l2:///dev/video0
    cat camera.ts | edgecvar run - --json

    A camera that is away is waited for, also at the start; user and password may be in EDGECVAR_USER and
    EDGECVAR_PASSWORD. `edgecvar sources` lists what is attached.
    Several are run one after the other, or --together. A video that cannot be read, or gives no decision, is named, the
    others go on, and the exit code is 1. Ctrl-C and SIGTERM end a run with what it has (130 and 143).
    --to tells others, and keeps what they do not take for the next run: mqtt[s]://HOST/TOPIC, http[s]://HOST/PATH (a
    webhook, told of events alone), sqlite:FILE, metrics://127.0.0.1:9109 (for Prometheus).
    An event is a label that lasts: it begins where its smoothed probability rises to `on`, and ends below `off`.
    --event-file, --event and a webhook imply --events.
    Damage is counted, inside pictures where they are sampled; the others are not parsed.
    Without --bundle the demo's is run.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv: one or the other")
    from edgecvar.config import from_flags
    from edgecvar.run.event_settings import read_event_settings
    from edgecvar.sinks.clips.event_clips import ClipSettings
    from edgecvar.sinks.job import run_job
    from edgecvar.sinks.settings import RunConfig, find_sources

    wanted, file, overrides = (options.pop(name) for name in ("events", "event_file", "event"))
    if wanted or file or overrides:
        options["events"] = read_event_settings(Path(file) if file else None, overrides)
    of_clips = {name: options.pop(name) for name in list(options) if name.startswith("clip")}
    options["clips"] = from_flags(ClipSettings, of_clips) if of_clips["clips"] else None
    form = "json" if as_json else "csv" if as_csv else None
    config = from_flags(RunConfig, {**options, "sources": find_sources(sources), "form": form})
    if not run_job(config):
        sys.exit(1)
