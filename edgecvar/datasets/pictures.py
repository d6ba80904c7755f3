"""What a source shows, picture by picture: of a video, a stretch of one, or a folder of numbered JPEGs."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Tuple

import av

from edgecvar.datasets.lists import Stretch
from edgecvar.datasets.sources import Source, numbered_stills
from edgecvar.errors import StreamError, reason
from edgecvar.stream.container import OpenVideo, open_video
from edgecvar.stream.decoders import decode, still_decoder
from edgecvar.stream.pixels import shown_frames
from edgecvar.stream.types import count_reason

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

STILLS_FPS = Fraction(12)
"""Pictures a second of Something-Something V1, by the page that it was published on."""
_BEFORE = 1.0
"""Seconds before a stretch that are decoded as well: its first pictures may refer to them."""
_FAR = Fraction(3, 2)
"""Beyond it what fits all times may be the rate of fields, or of single times that are off."""
_SLACK = 1
"""Seconds by which a file that has been trimmed already may be longer than its stretch."""

Timed = Tuple[float, "VideoFrame"]


@dataclass(frozen=True)
class Shown:
    """An open source: pictures a second as it states them, its frames with their seconds, and what is lost of it."""

    fps: Fraction
    frames: Iterator[Timed]
    lost: Dict[str, int] = field(default_factory=dict)


@contextmanager
def shown(source: Source) -> Iterator[Shown]:
    """Opens a source; this and its frames raise StreamError."""
    if source.stills:
        lost: Dict[str, int] = {}
        yield Shown(STILLS_FPS, _stills(source.path), lost)
        return
    with open_video(source.path, any_codec=True) as video:
        lost = {}
        yield Shown(_rate(video), _moving(video, source, lambda why: count_reason(lost, why)), lost)


def _rate(video: OpenVideo) -> Fraction:
    """The rate that all times fit, as FFmpeg's command line takes it; the mean one where that is far from it."""
    fitting = video.stream.guessed_rate
    near = fitting is not None and video.fps <= fitting <= _FAR * video.fps
    return Fraction(fitting) if fitting is not None and near else video.fps


def _moving(video: OpenVideo, source: Source, lost: Callable[[str], None]) -> Iterator[Timed]:
    stretch = source.stretch
    if stretch is None or not _is_longer(video, stretch):
        if not source.only:
            raise StreamError(
                "no longer than one of the stretches that the lists name of it: which it shows is unknown"
            )
        yield from ((each.pts_seconds, each.frame) for each in shown_frames(video, lost=lost))
        return
    base = video.stream.time_base or Fraction(1)
    origin = float((video.stream.start_time or 0) * base)
    begin, end = origin + stretch[0], origin + stretch[1]
    with suppress(av.FFmpegError, OSError):  # where nothing can be sought, all is decoded
        video.container.seek(int(max(origin, begin - _BEFORE) / base), stream=video.stream)
    among = False
    for each in takewhile(lambda each: each.pts_seconds < end, shown_frames(video, lost=lost)):
        if each.pts_seconds >= begin:
            among = True
            yield each.pts_seconds, each.frame
    if not among:
        raise StreamError(f"no picture in it from {stretch[0]} to {stretch[1]} s, and it is longer than that")


def _is_longer(video: OpenVideo, stretch: Stretch) -> bool:
    """Whether there is more in the file than the stretch; where it does not tell how long it is, there is."""
    own, whole = video.stream.duration, video.container.duration
    if own is None and whole is None:
        return True
    seconds = float(own * (video.stream.time_base or 1)) if own is not None else (whole or 0) / av.time_base
    return seconds > stretch[1] - stretch[0] + _SLACK


def _stills(folder: Path) -> Iterator[Timed]:
    """Raises StreamError where a number is left out: nothing takes its place."""
    context = still_decoder("mjpeg")
    stills = _in_order(folder)
    for place, still in enumerate(stills):
        try:
            frames = decode(context, av.Packet(still.read_bytes()))
        except (StreamError, OSError) as error:
            raise StreamError(f"{still}: cannot be decoded ({reason(error)})") from error
        if len(frames) != 1:
            raise StreamError(f"{still}: no JPEG in it")
        yield float(place / STILLS_FPS), frames[0]


def _in_order(folder: Path) -> List[Path]:
    try:
        numbers = {int(still.stem): still for still in numbered_stills(folder)}
    except OSError as error:
        raise StreamError(f"{folder}: cannot be read ({reason(error)})") from error
    first = min(numbers, default=0)
    missing = next((number for number in range(first, first + len(numbers)) if number not in numbers), None)
    if missing is not None or first > 1:
        raise StreamError(f"{folder}: picture {first - 1 if missing is None else missing} is missing")
    return [numbers[number] for number in sorted(numbers)]
