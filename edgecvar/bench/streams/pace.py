"""A file as a camera sends it: picture by picture, each at its moment, again from the beginning at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, List, Optional, Protocol, Tuple

from edgecvar.bench.streams.session import LATE
from edgecvar.clips.feed import PictureStream
from edgecvar.stream.types import CodedPicture

SETTLED = 1.0
"""Seconds that are measured before a trial may be broken off, so that there is something to say of it."""


@dataclass(frozen=True)
class Period:
    """Of a trial, by `time.monotonic`: cameras send until `end`, and what came from `first` on is measured."""

    first: float
    end: float


class Watch(Protocol):
    """The time, and how to wait for it."""

    def now(self) -> float:
        """Seconds, of any beginning."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait so long; whether the trial was broken off meanwhile."""
        ...

    def break_off(self) -> None:
        """End the trial for all of its streams: what it was to find out is known."""
        ...


class Pace:
    """When one camera's pictures are there, from `begin` on, and how late what was made of them was."""

    def __init__(self, begin: float, fps: float, period: Period, watch: Watch) -> None:
        self.left_out = 0
        self.lateness: List[Tuple[float, float]] = []
        self.over = False
        self._begin, self._fps = begin, fps
        self._period, self._watch = period, watch
        self._arrived = 0

    def again(self) -> None:
        """The picture that was waited for last is not in the file, which begins anew in its place."""
        self._begin, self._arrived = self.moment(self._arrived), 0

    def moment(self, number: int) -> float:
        """When a picture, by its number in the file in decode order, is there."""
        return self._begin + number / self._fps

    def arrival(self, number: int) -> Optional[float]:
        """Wait for a picture; its moment, or None where the trial is over."""
        moment = self.moment(number)
        late = self._watch.now() - moment
        if moment >= self._period.end:
            self.over = True
        elif late > LATE and moment >= self._period.first + SETTLED:
            self.left_out = int(late * self._fps)
            self._watch.break_off()
            self.over = True
        elif self._watch.wait(max(0.0, -late)):
            self.over = True
        self._arrived = number
        return None if self.over else moment

    def decided(self, moment: float) -> None:
        """What came at `moment` has been decided on."""
        if moment < self._period.first:
            return
        late = self._watch.now() - moment
        self.lateness.append((moment - self._period.first, late))
        if late > LATE and moment >= self._period.first + SETTLED:
            self._watch.break_off()


class PacedStream:
    """An open stream whose pictures are read when they are there, and not before."""

    def __init__(self, stream: PictureStream, arrival: Callable[[int], Optional[float]]) -> None:
        self.info, self.summary = stream.info, stream.summary
        self._stream = stream
        self._arrival = arrival

    def __iter__(self) -> Iterator[CodedPicture]:
        number, pictures = 0, iter(self._stream)
        while self._arrival(number) is not None:
            picture = next(pictures, None)
            if picture is None:
                return
            number = picture.decode_index + 1
            yield picture
