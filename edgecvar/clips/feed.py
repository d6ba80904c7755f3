"""The reader's half of a run: coded pictures to prepared inputs of the sampled ones, in decode order."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Dict, FrozenSet, Iterator, List, Optional, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.appearance import Appearance, AppearancePicture
from edgecvar.clips.clock import Clock, NoClock
from edgecvar.clips.display_progress import DisplayProgress
from edgecvar.clips.gop import WindowCutter
from edgecvar.clips.motion_source import MotionSource
from edgecvar.clips.prepare import Prepared, Preparer
from edgecvar.clips.sampling import EveryKth
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.types import Break, CodedPicture, StreamInfo, StreamSummary

if TYPE_CHECKING:
    from edgecvar.stream.native._h264 import Picture


class PictureStream(Protocol):
    """What a run needs of an open stream."""

    info: StreamInfo
    summary: StreamSummary

    def __iter__(self) -> Iterator[CodedPicture]: ...


class Watcher(Protocol):
    """Sees every picture, in decode order and from the reader thread."""

    def picture(self, picture: CodedPicture, velocity: Optional[NDArray[np.float32]]) -> None:
        """`velocity` (H/4, W/4, xy) is None on I-pictures and before the first of them."""
        ...


@dataclass(frozen=True)
class SampledPicture:
    """A sampled P or B picture, prepared: `inputs` by source (motion, residual, frame), each (channels, h, w).

    `adjacent` is None in the first window of a stream, whose neighbour is yet to come, and where no stage asks; a
    sample of a clip that was read whole always has its `neighbour`.
    `read_at` is the clock's reading when its packet came out of the reader, in seconds. `clip` tells the clips apart
    where samples of several are in one list, and `part` counts the breaks of its stream before it.
    """

    decode_index: int
    display_index: int
    pts_seconds: float
    window: int
    read_at: float
    inputs: Dict[str, NDArray[np.float32]]
    current: Appearance
    adjacent: Optional[Appearance]
    clip: int = 0
    part: int = 0

    @property
    def neighbour(self) -> Appearance:
        """`adjacent`, for whoever takes samples whose neighbour has come."""
        if self.adjacent is None:
            raise AssertionError("the neighbour of a sample is not filled in")
        return self.adjacent


@dataclass(frozen=True)
class SecondWindow:
    """The second window since the last break begins: the neighbour that the first has been waiting for."""

    appearance: Appearance


@dataclass(frozen=True)
class Settled:
    """All pictures displayed below this index have been read: samples there are in their order."""

    below: int


Message = Union[SampledPicture, SecondWindow, Settled, Break]
"""What a run is told, in decode order; a Break comes before the samples of what it opens."""


@dataclass(frozen=True)
class Demand:
    """What to prepare: the sources that stages take, whether of neighbours too, and every how many pictures."""

    sources: FrozenSet[str]
    adjacent: bool
    every: int


@dataclass
class FeedCounts:
    """What has been read so far."""

    pictures: int = 0
    sampled: int = 0
    unusable: Dict[str, int] = field(default_factory=dict)
    first_pts: float = float("inf")
    last_pts: float = float("-inf")

    def seen(self, pts_seconds: float) -> None:
        self.pictures += 1
        self.first_pts = min(self.first_pts, pts_seconds)
        self.last_pts = max(self.last_pts, pts_seconds)

    def skip(self, reason: str) -> None:
        self.unusable[reason] = self.unusable.get(reason, 0) + 1


class Feed:
    """Walks a stream once; the counts can be read at any time."""

    def __init__(self, stream: PictureStream, spec: InputSpec, demand: Demand, clock: Clock) -> None:
        self.counts = FeedCounts()
        self._stream = stream
        self._spec = spec
        self._demand = demand
        self._clock = clock
        self._trace_clock = clock if spec.accumulate else NoClock()
        self._set_up(stream.info)
        self._cutter = WindowCutter(spec.gop_length)
        self._picker = EveryKth(demand.every)
        self._progress = DisplayProgress()
        self._unsettled: List[int] = []
        self._part = 0
        self._newest: Optional[AppearancePicture] = None
        self._current: Optional[AppearancePicture] = None
        self._before: Optional[AppearancePicture] = None
        self._awaited = False
        self._takes_images = "image" in demand.sources
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="appearance")  # decodes while the next pictures are read

    def messages(self, watcher: Optional[Watcher] = None) -> Iterator[Optional[Message]]:
        """At least one item a picture: None where there is nothing to run, so that the caller can stop anywhere."""
        try:
            yield from self._messages(watcher)
        finally:
            self._ahead.shutdown()

    def _messages(self, watcher: Optional[Watcher]) -> Iterator[Optional[Message]]:
        pictures = iter(self._stream)
        while True:
            with self._clock.span("read"):
                picture = next(pictures, None)
            if picture is None:
                return
            read_at = time.perf_counter()
            if picture.opens is not None:
                self._reopen(picture.opens)
                yield picture.opens
            below = self._progress.push(picture.display_index)
            if picture.shown:
                self.counts.seen(picture.pts_seconds)
            position = self._cutter.push(picture.has_image, picture.shown)
            usable = picture.shown and position.window >= 0
            self._follow(picture, usable, watcher)
            if position.starts:
                self._before, self._current = self._current, self._newest
                if self._awaited:
                    yield self._second_window()
            if picture.shown and not usable:
                self.counts.skip("before the first I-picture")
            sample = self._sample(picture, position.window, read_at) if usable else None
            yield sample
            if sample is not None:
                self._unsettled.append(sample.display_index)
            if any(index < below for index in self._unsettled):
                self._unsettled = [index for index in self._unsettled if index >= below]
                yield Settled(below)

    def _set_up(self, info: StreamInfo) -> None:
        self._info = info
        self._motion_source = MotionSource(info, self._spec, residual="residual" in self._demand.sources)
        self._preparer = Preparer(info, self._spec)

    def _reopen(self, opens: Break) -> None:
        """The stream breaks: no window reaches over this place, and over a size change no I-picture."""
        resized = opens.info != self._info
        if resized:
            self._set_up(opens.info)
            self._newest = None
        self._cutter.reopen(keep=not resized)
        self._picker = EveryKth(self._demand.every)
        self._part += 1
        self._before = self._current = None
        self._awaited = False

    def _follow(self, picture: CodedPicture, usable: bool, watcher: Optional[Watcher]) -> None:
        with self._trace_clock.span("trace"):
            self._motion_source.push(picture)
        if watcher is not None:
            moving = usable and picture.motion is not None
            watcher.picture(picture, self._motion_source.motion(picture) if moving else None)
        if picture.has_image:
            # Where few of them are needed, most would be decoded for nothing.
            ahead = self._ahead if self._newest is not None and self._newest.used else None
            self._newest = AppearancePicture(picture, self._preparer if self._takes_images else None, ahead)

    def _second_window(self) -> SecondWindow:
        self._awaited = False
        with self._clock.span("prepare"):
            appearance = _appearance(self._current) or _appearance(self._before)
        assert appearance is not None  # the first window has been sampled
        return SecondWindow(appearance)

    def _sample(self, picture: CodedPicture, window: int, read_at: float) -> Optional[SampledPicture]:
        if not self._picker.push(picture.kind):
            return None
        with self._clock.span("parse"):
            parsed = self._motion_source.parsed(picture)
        with self._clock.span("prepare"):
            current = _appearance(self._current)
            if current is None:
                self.counts.skip("I-picture that cannot be decoded")
                return None
            inputs = self._inputs(picture, parsed)
            if inputs is None:
                self.counts.skip("picture that cannot be decoded")
                return None
            self.counts.sampled += 1
            adjacent = self._neighbour(current)
        return SampledPicture(
            decode_index=picture.decode_index,
            display_index=picture.display_index,
            pts_seconds=picture.pts_seconds,
            window=window,
            read_at=read_at,
            inputs=inputs,
            current=current,
            adjacent=adjacent,
            part=self._part,
        )

    def _inputs(self, picture: CodedPicture, parsed: Optional[Picture]) -> Optional[Dict[str, NDArray[np.float32]]]:
        """By source; None where the picture's frame cannot be decoded."""
        sources = self._demand.sources
        values: Dict[str, Prepared] = {}
        if "frame" in sources:
            frame = _frame(picture)
            if frame is None:
                return None
            values["frame"] = frame
        if "motion" in sources:
            values["motion"] = self._motion_source.motion(picture) if parsed is None else parsed
        if "residual" in sources:
            values["residual"] = self._motion_source.residual(picture) if parsed is None else parsed
        return self._preparer.inputs(values)

    def _neighbour(self, current: Appearance) -> Optional[Appearance]:
        """None where no stage asks for it, and in the first window, where it is awaited."""
        if not self._demand.adjacent:
            return None
        self._awaited = self._before is None
        return None if self._awaited else _appearance(self._before) or current


def _frame(picture: CodedPicture) -> Optional[ShownPlanes]:
    """The decoded picture; None where it cannot be decoded."""
    if picture.decoded is None:
        raise StreamError(
            "a stage takes decoded frames, and the stream was opened without: open_stream(source, frames=True)"
        )
    try:
        return picture.decoded.planes()
    except StreamError:
        return None


def _appearance(source: Optional[AppearancePicture]) -> Optional[Appearance]:
    if source is None:
        raise AssertionError("every window has an I-picture")
    return source.appearance()
