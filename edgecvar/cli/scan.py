"""`edgecvar scan`: a bundle over an archive, into tables."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import click

from edgecvar.cli.flags import every_flag, exits_flag, extraction_flag, runner_flags, timeout_flag, trust_flag
from edgecvar.terminal import printable, say, say_json

if TYPE_CHECKING:
    from edgecvar.scan.scanning import ScanSummary
    from edgecvar.scan.settings import ScanConfig

SHOWN = 20
"""Failures that are printed; all are in the table of sources."""


@click.command("scan")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--output", required=True, type=click.Path(), metavar="FILE", help="The .parquet to write.")
@click.option("--bundle", type=click.Path(), help="Bundle to run; the one that the package ships unless given.")
@trust_flag
@click.option("--workers", type=int, metavar="N", help="Processes here [default: one a core, and with TensorRT one].")
@click.option("--ray", metavar="ADDRESS", help="Work on a Ray cluster: auto, local, HOST:PORT or ray://HOST:PORT.")
@click.option(
    "--split",
    type=float,
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Cut files of twice that length into pieces, for several workers; 0 cuts none.",
)
@click.option("--overwrite", is_flag=True, help="Begin anew, whatever is there under that name.")
@every_flag
@exits_flag
@click.option(
    "--event-file", type=click.Path(), metavar="FILE", help="When an event begins and ends, as `eval --thresholds -o`."
)
@click.option(
    "--event", "event", multiple=True, metavar="KEY=VALUE", help="As in that file: on=0.8, labels.fight.hold=1"
)
@extraction_flag
@timeout_flag
@runner_flags
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as one JSON document.")
def command(as_json: bool, sources: Tuple[str, ...], **options: Any) -> None:
    """Run a bundle over thousands of files or hours; SOURCE is a file, a folder, a pattern in quotes or a URL.

    \b
    edgecvar scan recordings/ -o seen.parquet
    edgecvar scan '/archive/**/*.mp4' --bundle fights.edgecvar -o fights.parquet
    edgecvar scan 's3://bucket/cameras/*.mp4' -o cameras.parquet
    edgecvar scan recordings/ -o seen.parquet --ray auto

    FILE has a row a decision and a row an event, by source and time; FILE with .sources before its suffix has a row a
    source, with what failed and why. A scan that was killed goes on where it was, with the same command; one with
    failures tries those again. A long file is cut at I-pictures for several workers, and comes to what it would whole.
    The exit code is 1 where a source failed. pip install 'edgecvar[scan]', and for --ray 'edgecvar[ray]'.
    """
    from edgecvar.bundle.default import default_bundle
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.config import from_flags
    from edgecvar.progress import StepBar
    from edgecvar.run.event_settings import read_event_settings
    from edgecvar.scan.pools import opened_pool
    from edgecvar.scan.scanning import scan
    from edgecvar.scan.settings import ScanConfig, check_bundle, check_scan, gpus_of, workers_of
    from edgecvar.scan.sources import find_listed
    from edgecvar.sinks.untrained import warn_untrained

    file, overrides = options.pop("event_file"), options.pop("event")
    options["events"] = read_event_settings(Path(file) if file else None, overrides)
    config = from_flags(ScanConfig, {**options, "sources": sources})
    check_scan(config)
    bundle = open_bundle(config.bundle or default_bundle(), config.trust)
    check_bundle(config, bundle)
    warn_untrained(bundle)
    begun = time.monotonic()
    with StepBar("listing sources") as bar:
        listed = find_listed(config.sources)
        bar.show(0, 0, "starting workers")
        with opened_pool(config.ray, workers_of(config, bundle), gpus_of(config, bundle)) as pool:
            summary = scan(config, bundle, listed, pool, bar.show)
    document = _document(config, summary, time.monotonic() - begun)
    if as_json:
        say_json(document)
    else:
        _print(config, summary)
    if summary is not None and summary.failures:
        sys.exit(1)


def _document(config: ScanConfig, summary: Optional[ScanSummary], seconds: float) -> Dict[str, Any]:
    from edgecvar.scan.output import sources_file

    document: Dict[str, Any] = {"output": str(config.output), "sources_output": str(sources_file(config.output))}
    if summary is None:
        return {**document, "complete_before": True}
    return {
        **document,
        "sources": summary.sources,
        "before": summary.before,
        "failed": len(summary.failures),
        "decisions": summary.decisions,
        "events": summary.events,
        "stream_seconds": round(summary.stream_seconds, 3),
        "wall_seconds": round(seconds, 3),
        "cut_up": summary.cut_up,
        "unsplit": summary.unsplit,
        "failures": [{"source": name, "reason": why} for name, why in summary.failures],
    }


def _print(config: ScanConfig, summary: Optional[ScanSummary]) -> None:
    from edgecvar.scan.output import ledger_file, sources_file

    if summary is None:
        say(f"{config.output}: is there already, of these sources and settings; --overwrite begins anew")
        return
    for name, why in summary.failures[:SHOWN]:
        say(f"failed: {why if why.startswith(name) else f'{name}: {why}'}", err=True)
    if len(summary.failures) > SHOWN:
        say(f"and {len(summary.failures) - SHOWN} more: {sources_file(config.output)}", err=True)
    for name, why in summary.unsplit.items():
        say(f"not cut up: {name}: {printable(why)}", err=True)
    before = f", {summary.before} of them done before" if summary.before else ""
    cut = f", {summary.cut_up} cut up" if summary.cut_up else ""
    say(f"{config.output}: {summary.decisions} decisions and {summary.events} events")
    seconds = summary.stream_seconds
    video = f"{seconds / 3600:.2f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
    say(f"{summary.sources} source{'s' * (summary.sources != 1)} ({video} of video){before}{cut}")
    if summary.failures:
        say(
            f"{len(summary.failures)} of {summary.sources} sources failed; {ledger_file(config.output)} keeps the "
            "others, and the same command tries these again",
            err=True,
        )
