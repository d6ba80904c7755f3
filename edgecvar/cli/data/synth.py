"""`edgecvar synth`: small labelled videos whose classes differ by motion alone."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Tuple

import click

from edgecvar.terminal import say

if TYPE_CHECKING:
    from edgecvar.synth.dataset import Fixed, Request


def _width_and_height(context: click.Context, flag: click.Parameter, text: Optional[str]) -> Optional[Tuple[int, int]]:
    if text is None:
        return None
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise click.BadParameter(f"expected WIDTHxHEIGHT such as 340x256, got {text!r}")
    size = (int(width), int(height))
    if any(side % 2 or not 64 <= side <= 4096 for side in size):
        raise click.BadParameter(f"expected even sides from 64 to 4096, got {text!r}")
    return size


def _rate(context: click.Context, flag: click.Parameter, pictures: Optional[int]) -> Optional[Fraction]:
    return None if pictures is None else Fraction(pictures)


@click.command(name="synth")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--clips", type=click.IntRange(1, 99999), help="Clips in all, over 12 classes.  [default: 240]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes.  [default: one a core]")
@click.option("--sequence", metavar="CLASS,CLASS,...", help="Write one clip with these classes in turn.")
@click.option("--pictures", type=click.IntRange(2, 10000), help="With --sequence: pictures a class.")
@click.option(
    "--codec",
    "codecs",
    multiple=True,
    type=click.Choice(["h264", "hevc", "mpeg4"]),
    help="Codec of every clip, or several times to draw from.  [default: drawn of h264, mpeg4; a sequence: h264]",
)
@click.option("--gop", "gop_length", type=click.IntRange(2, 300), help="GOP length instead of a drawn one.")
@click.option("--b-pictures", type=click.IntRange(0, 3), help="B-pictures in a row instead of a drawn number.")
@click.option("--crf", type=click.IntRange(0, 51), help="Quality on x264's scale instead of a drawn one.")
@click.option(
    "--size",
    metavar="WxH",
    callback=_width_and_height,
    help="With --sequence: pixels, even numbers, instead of a drawn size.",
)
@click.option(
    "--fps",
    type=click.IntRange(1, 240),
    callback=_rate,
    help="With --sequence: pictures a second instead of a drawn rate.",
)
@click.option("--force", is_flag=True, help="Write into a folder that is not empty, or over a file.")
def command(
    target: Path,
    clips: Optional[int],
    seed: int,
    jobs: Optional[int],
    sequence: Optional[str],
    pictures: Optional[int],
    force: bool,
    **given: Any,
) -> None:
    """Write small labelled videos whose classes differ by motion alone.

    TARGET is a folder to fill with one folder a class, clips.csv and clips.jsonl (what was drawn for each clip);
    with --sequence it is one .mp4 file. The same seed gives the same files.
    """
    from edgecvar.synth.dataset import Fixed, Request

    fixed = Fixed(**given)
    if sequence is not None:
        if clips is not None or jobs is not None:
            raise click.UsageError("--clips and --jobs fill a folder: leave them out with --sequence")
        _write_sequence(target, sequence, pictures, seed, force, fixed)
        return
    if target.suffix.lower() == ".mp4":
        raise click.UsageError(
            f"{target}: one .mp4 file wants --sequence, such as --sequence left,up; else name a folder"
        )
    if (pictures, fixed.size, fixed.fps) != (None, None, None):
        raise click.UsageError("--pictures, --size and --fps go with --sequence: clips in a folder draw theirs")
    _fill(Request(target, clips or 240, seed, jobs or os.cpu_count() or 1, force, fixed))


def _fill(request: Request) -> None:
    from itertools import count

    from edgecvar.progress import StepBar
    from edgecvar.synth.dataset import check_folder, write_clips

    check_folder(request)
    done = count(1)
    with StepBar("clips") as bar:
        written = write_clips(request, lambda _: bar.show(next(done), request.clips, "clips"))
    classes = len({clip.plan.acts[0].label for clip in written})
    say(f"{request.folder}: {len(written)} clips of {classes} classes, listed in clips.csv and clips.jsonl")


def _write_sequence(path: Path, sequence: str, pictures: Optional[int], seed: int, force: bool, fixed: Fixed) -> None:
    from edgecvar.errors import DatasetError
    from edgecvar.synth.dataset import write_sequence

    if path.suffix != ".mp4":
        raise click.UsageError(f"--sequence writes one .mp4 file, got {path}")
    if path.exists() and not (force and path.is_file()):
        raise DatasetError(f"{path}: exists; name a new file, or use --force to write over a file")
    labels = [name.strip() for name in sequence.split(",") if name.strip()]
    plan = write_sequence(path, labels, pictures, seed, fixed)
    start = 0
    for act in plan.acts:
        first, last = float(start / plan.canvas.fps), float((start + act.pictures) / plan.canvas.fps)
        say(f"{first:7.2f} s to {last:7.2f} s  {act.label}")
        start += act.pictures
    say(f"{path}: {plan.pictures} pictures, {plan.canvas.width} x {plan.canvas.height}")
