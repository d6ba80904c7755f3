"""`edgecvar extract`: a video's vectors with their references, to numpy or a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

import click

from edgecvar.cli.flags import extraction_flag, timeout_flag
from edgecvar.terminal import say, say_json

if TYPE_CHECKING:
    from edgecvar.sinks.extraction import ExtractionSummary


@click.command("extract", short_help="Export a video's vectors, references and residuals.")
@click.argument("source", metavar="VIDEO")
@click.option("-o", "--output", required=True, type=click.Path(), metavar="FILE", help="An .npz or a .parquet.")
@click.option(
    "--residual",
    type=click.Choice(["none", "statistics", "planes"]),
    default="statistics",
    show_default=True,
    help="What is kept of the residual; planes in .npz alone.",
)
@click.option("--pictures", type=click.IntRange(min=1), metavar="N", help="The first N pictures alone.")
@extraction_flag
@timeout_flag
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Write the motion vectors of VIDEO, each with its exact reference, picture by picture in decode order.

    VIDEO is a file, a URL, or `-` for standard input.

    \b
    edgecvar extract camera.mp4 -o camera.npz
    edgecvar extract camera.mp4 -o camera.npz --residual planes --pictures 100
    edgecvar extract camera.mp4 -o camera.parquet

    Neighbouring blocks with one vector and one reference are one rectangle, so nothing is lost and little is written:
    list, x, y, width, height (luma samples), mv_x, mv_y (quarter pixels, to the reference), ref_offset (display index
    of the reference minus the picture's). What no rectangle covers of a picture's coded_width x coded_height is intra.
    An .npz has them as vector_*, the pictures as picture_*; a .parquet (pip install 'edgecvar[parquet]') has a row a
    rectangle, its picture's columns beside it. A picture without rectangles, such as every I-picture, has one row
    there, with nulls for its vector; residual columns are NaN and -1 where a picture has no residual. The size may
    change in a stream, where `opens` says so.
    """
    from edgecvar.config import from_flags
    from edgecvar.progress import StepBar
    from edgecvar.sinks.extraction import ExtractionConfig, extract

    config = from_flags(ExtractionConfig, options)
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
        "without_residual": sum(summary.without_residual.values()),
    }
