"""`edgecvar prepare`: a published data set, encoded as a paper had it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import click

if TYPE_CHECKING:
    from edgecvar.datasets.preparation import Request, Result

PAPERS = ("coviar", "team", "dmc", "attp", "meaci")


def _rate(context: click.Context, flag: click.Parameter, text: Optional[str]) -> Optional[Fraction]:
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 1 <= rate <= 240:
        raise click.BadParameter(f"expected pictures a second from 1 to 240, such as 25 or 30000/1001, got {text!r}")
    return rate


@click.command("prepare")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", required=True, type=click.Path(path_type=Path), metavar="FOLDER")
@click.option("--as", "paper", required=True, type=click.Choice(PAPERS), help="Whose encoding.")
@click.option("--fps", metavar="RATE", callback=_rate, help="Pictures a second of every clip.  [default: its own]")
@click.option(
    "--trim",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Kinetics' lists: cut longer videos to their time_start and time_end.  [default: lists in DATA]",
)
@click.option("--no-trim", is_flag=True, help="Cut nothing, whatever lists there are.")
@click.option("--workers", type=click.IntRange(0, 1024), metavar="N", help="Processes, or 0.  [default: one a core]")
@click.option("--ray", metavar="ADDRESS", help="Prepare on a Ray cluster: auto, local, HOST:PORT, ray://...")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(paper: str, fps: Optional[Fraction], no_trim: bool, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Encode the data set in the folder DATA as a paper had it, into FOLDER, under the same names.

    \b
    edgecvar prepare UCF-101 -o data/ucf101/videos --as coviar
    edgecvar prepare k400 -o data/kinetics400/videos --as team --trim k400/annotations
    edgecvar prepare 20bn-something-something-v1 -o data/v1 --as attp

    \b
    coviar, team, dmc, meaci   MPEG-4 part 2, GOP 12, no B-pictures, 340 x 256
    attp                       H.264, GOP 12, 2 B-pictures, 340 x 256

    DATA is as it was unpacked: videos of any codec (AVI, MP4, WebM, ...) and folders of numbered JPEGs (12 a second),
    in class folders or not. A recipe finds the clips with data=FOLDER. Sound is left out.

    Stop it as you like: the same command goes on where it was, and all that is in FOLDER is whole. FOLDER/prepared.json
    lists settings, hashes, and what gave no clip and why, which is tried again the next time. More is in
    docs/prepare.md. The exit code is 1 where nothing could be prepared.
    """
    from edgecvar.datasets.papers import Settings
    from edgecvar.datasets.preparation import Request

    if no_trim and given["trim"] is not None:
        raise click.UsageError("--trim and --no-trim: give one of them")
    request = Request(
        data=given["data"],
        folder=given["folder"],
        settings=Settings(paper, fps),
        workers=os.cpu_count() or 1 if given["workers"] is None else given["workers"],
        trim=given["trim"],
        trimmed=not no_trim,
    )
    if dry_run:
        _say_plan(request, as_json)
    else:
        _carry_out(request, as_json, given["ray"])


def _say_plan(request: Request, as_json: bool) -> None:
    from edgecvar.cli.report.preparation import plan_document, print_plan
    from edgecvar.datasets.preparation import plan_preparation
    from edgecvar.terminal import say_json

    plan = plan_preparation(request)
    if as_json:
        say_json(plan_document(plan))
    else:
        print_plan(plan)


def _carry_out(request: Request, as_json: bool, ray: Optional[str]) -> None:
    from edgecvar.cli.report.preparation import print_result, result_document
    from edgecvar.datasets.clip import begin_where, prepare_clip
    from edgecvar.datasets.preparation import prepare
    from edgecvar.errors import DatasetError
    from edgecvar.progress import StepBar
    from edgecvar.scan.pool import each_tried
    from edgecvar.scan.pools import opened_pool
    from edgecvar.terminal import say_json

    with StepBar("looking for clips") as bar, ExitStack() as stack:
        elsewhere = None
        if ray is not None:
            pool = stack.enter_context(opened_pool(ray, request.workers or None))
            elsewhere = partial(each_tried, pool, prepare_clip, enter=begin_where)
        result = prepare(request, lambda done, clips: bar.show(done, clips, "clips"), elsewhere)
    if as_json:
        say_json(result_document(request, result))
    else:
        print_result(request, result)
    if not result.clips:
        raise DatasetError(_nothing(request, result))


def _nothing(request: Request, result: Result) -> str:
    first = result.left_out[0]
    return f"{request.data}: none of {len(result.left_out)} clips could be prepared; {first.name}: {first.reason}"
