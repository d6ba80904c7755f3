"""From what a source shows to an encoded file at a constant rate.

FFmpeg's command line does the same for a container that keeps no times, as the papers' is: a picture goes into the
place that its time is nearest to, counted from the first picture; a place that nothing came for shows the picture
before it once more, and of several pictures for one place the first is taken. A source of a constant rate, at that
rate, thus gives every picture once.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Generator, List

from edgecvar.datasets.encoder import Coding, encoder
from edgecvar.datasets.pictures import Shown
from edgecvar.datasets.raster import Fitting, Numbered, Progressive, clean_frame
from edgecvar.errors import EdgecvarError, StreamError

_HALF = 0.5
"""Of a place: how far a picture's time may be from it."""


@dataclass(frozen=True)
class Tally:
    """`pictures` were written, `repeated` of them for want of another; `dropped` were not, `interlaced` were fields."""

    pictures: int
    repeated: int
    dropped: int
    interlaced: int


class Places:
    """Counts the places of a clip as pictures take them."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._first = 0.0
        self.taken = self.repeated = self.dropped = 0

    def of(self, seconds: float) -> range:
        """Those that are due at a picture's time: its own last, before it those that nothing came for; perhaps none."""
        if not self.taken:
            self._first = seconds
        ahead = (seconds - self._first) * self._fps - self.taken
        if ahead <= -_HALF:
            self.dropped += 1
            return range(0)
        gap = max(0, math.ceil(ahead - _HALF))
        due = range(self.taken, self.taken + gap + 1)
        self.repeated += gap
        self.taken = due.stop
        return due


def transcode(shown: Shown, target: Path, coding: Coding, stopped: Callable[[], bool]) -> Tally:
    """Writes a file of the pictures of a source; raises StreamError where it shows none, and what encoders raise.

    `stopped` is asked at every picture whether the file is still wanted; where it is not, EdgecvarError is raised.
    """
    fitting, progressive, places = Fitting(coding.width, coding.height), Progressive(), Places(float(coding.fps))
    moments: List[float] = []
    newest = None
    with encoder(target, coding) as push, closing(_numbered(shown, moments, stopped)) as numbered:
        for number, frame in progressive.frames(numbered):
            due = places.of(moments[number])
            if not due:
                continue
            planes = fitting.planes(frame)
            for place in due:
                push(clean_frame(planes if newest is None or place == due[-1] else newest, place, coding.fps))
            newest = planes
        if newest is None:
            why = "; ".join(f"{count} x {reason}" for reason, count in shown.lost.items())
            raise StreamError(f"no picture in it can be decoded ({why})" if why else "no picture in it")
    return Tally(places.taken, places.repeated, places.dropped, progressive.interlaced)


def _numbered(shown: Shown, moments: List[float], stopped: Callable[[], bool]) -> Generator[Numbered, None, None]:
    """The frames, counted; the moment of each is put into `moments`."""
    for number, (seconds, frame) in enumerate(shown.frames):
        if stopped():
            raise EdgecvarError("stopped before it was whole")
        moments.append(seconds)
        yield number, frame
