"""`edgecvar extract`: vectors with their references of one video or many, to numpy or tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import click

from edgecvar.cli.flags import extraction_flag, timeout_flag
from edgecvar.terminal import say, say_json

if TYPE_CHECKING:
    from edgecvar.scan.extracting import FolderConfig, FolderSummary
    from edgecvar.sinks.extraction import ExtractionSummary

SHOWN = 20
"""Failures that are printed; all are in the document of --json."""


@click.command("extract", short_help="Export vectors, references and residuals of videos.")
@click.argument("sources", nargs=-1, required=True, metavar="VIDEO...")
@click.option(
    "-o", "--output", required=True, metavar="PATH", help="An .npz or a .parquet; of several videos, a folder."
)
@click.option(
    "--residual",
    type=click.Choice(["none", "statistics", "planes"]),
    default="statistics",
    show_default=True,
    help="What is kept of the residual; planes in .npz alone.",
)
@click.option("--pictures", type=click.IntRange(min=1), metavar="N", help="The first N pictures of a video alone.")
@click.option("--format", "form", type=click.Choice(["npz", "parquet"]), help="Of a folder's files.  [default: npz]")
@click.option("--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes, for a folder: one a core.")
@click.option("--ray", metavar="ADDRESS", help="Fill a folder on a Ray cluster: auto, local, HOST:PORT, ray://...")
@extraction_flag
@timeout_flag
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON document.")
def command(as_json: bool, sources: Tuple[str, ...], **options: Any) -> None:
    """Write the motion vectors of VIDEO, each with its exact reference, picture by picture in decode order.

    VIDEO is a file, a URL, or `-` for standard input; where PATH is a folder, also a folder or a pattern in quotes.

    \b
    edgecvar extract camera.mp4 -o camera.npz
    edgecvar extract camera.mp4 -o camera.npz --residual planes --pictures 100
    edgecvar extract camera.mp4 -o camera.parquet
    edgecvar extract recordings/ -o vectors/

    Neighbouring blocks with one vector and one reference are one rectangle, so nothing is lost and little is written:
    list, x, y, width, height (luma samples), mv_x, mv_y (quarter pixels, to the reference), ref_offset (display index
    of the reference minus the picture's). What no rectangle covers of a picture's coded_width x coded_height is intra.
    An .npz has them as vector_*, the pictures as picture_*; a .parquet (pip install 'edgecvar[parquet]') has a row a
    rectangle, its picture's columns beside it. A picture without rectangles, such as every I-picture, has one row
    there, with nulls for its vector; residual columns are NaN and -1 where a picture has no residual. The size may
    change in a stream, where `opens` says so.

    A folder gets recordings/day/a.mp4 as day/a.mp4.npz. A file that is there, of the same settings and of what the
    video is now, is left as it is, so that what was killed goes on; a video that cannot be read to its end is counted
    and gets none, and the exit code is 1.
    """
    if not options["output"]:
        raise click.BadParameter("is empty; name a file or a folder", param_hint="--output")
    if _is_folder(options["output"]):
        _folder(sources, options, as_json)
    else:
        _one(sources, options, as_json)


def _is_folder(output: str) -> bool:
    return output.endswith("/") or Path(output).is_dir() or not Path(output).suffix


def _one(sources: Tuple[str, ...], options: Dict[str, Any], as_json: bool) -> None:
    from edgecvar.config import from_flags
    from edgecvar.errors import ConfigError
    from edgecvar.progress import StepBar
    from edgecvar.sinks.extraction import ExtractionConfig, extract

    flags = {"form": "--format", "workers": "--workers", "ray": "--ray"}
    given = [flag for name, flag in flags.items() if options.pop(name)]
    if len(sources) > 1 or given:
        what = given[0] if given else f"{len(sources)} videos"
        raise ConfigError(f"--output {options['output']}: is one file, and {what} wants a folder; end its name in /")
    config = from_flags(ExtractionConfig, {**options, "source": sources[0]})
    with StepBar("opening") as bar:
        summary = extract(config, lambda done: bar.show(done, options["pictures"] or 0, "pictures"))
    if as_json:
        say_json(_document(summary, options["output"]))
        return
    say(
        f"{options['output']}: {summary.pictures} pictures, {summary.vectors} vectors "
        f"({summary.info.extraction}; {summary.inexact} pictures with references that are not exact)"
    )
    if summary.skipped:
        say(f"{summary.skipped} skipped: {'; '.join(summary.reasons)}")
    if summary.broke_off:
        say(f"the video broke off there ({summary.broke_off})", err=True)
    for why, count in summary.without_residual.items():
        say(f"{count} pictures without a residual: {why}")


def _document(summary: ExtractionSummary, output: str) -> Dict[str, Any]:
    return {
        "output": output,
        "extraction": summary.info.extraction,
        "pictures": summary.pictures,
        "vectors": summary.vectors,
        "inexact": summary.inexact,
        "skipped": summary.skipped,
        "reasons": summary.reasons,
        "broke_off": summary.broke_off,
        "without_residual": sum(summary.without_residual.values()),
    }


def _folder(sources: Tuple[str, ...], options: Dict[str, Any], as_json: bool) -> None:
    from edgecvar.config import from_flags
    from edgecvar.progress import StepBar
    from edgecvar.scan.extracting import FolderConfig, extract_all, find_wanted
    from edgecvar.scan.pools import opened_pool

    form: Optional[str] = options.pop("form")
    config = from_flags(FolderConfig, {**options, "sources": sources, "form": form or "npz"})
    with StepBar("listing videos") as bar:
        wanted = find_wanted(config)
        bar.show(0, 0, "starting workers")
        with opened_pool(config.ray, config.workers) as pool:
            summary = extract_all(config, wanted, pool, bar.show)
    if as_json:
        say_json(_folder_document(config, summary))
    else:
        _print_folder(config, summary)
    if summary.failures:
        sys.exit(1)


def _folder_document(config: FolderConfig, summary: FolderSummary) -> Dict[str, Any]:
    return {
        "output": str(config.output),
        "videos": summary.videos,
        "before": summary.before,
        "failed": len(summary.failures),
        "pictures": summary.pictures,
        "vectors": summary.vectors,
        "inexact": summary.inexact,
        "skipped": summary.skipped,
        "without_residual": summary.without_residual,
        "failures": [{"source": name, "reason": why} for name, why in summary.failures],
    }


def _print_folder(config: FolderConfig, summary: FolderSummary) -> None:
    for _, why in summary.failures[:SHOWN]:
        say(f"failed: {why}", err=True)
    if len(summary.failures) > SHOWN:
        say(f"and {len(summary.failures) - SHOWN} more: --json lists all", err=True)
    written = summary.videos - summary.before - len(summary.failures)
    before = f", {summary.before} were there" if summary.before else ""
    say(
        f"{config.output}: {written} of {summary.videos} videos written{before}: {summary.pictures} pictures, "
        f"{summary.vectors} vectors ({summary.inexact} pictures with references that are not exact)"
    )
    for count, what in ((summary.skipped, "skipped packets"), (summary.without_residual, "pictures without residual")):
        if count:
            say(f"{count} {what}; `edgecvar extract` of one video says why")
