"""The reader's half of a run: coded pictures to prepared inputs of the sampled ones, in decode order."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Callable, Dict, FrozenSet, Generator, Iterator, List, Optional, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.appearance import AppearancePicture
from edgecvar.clips.clock import Clock, NoClock
from edgecvar.clips.display_progress import DisplayProgress
from edgecvar.clips.gop import WindowCutter
from edgecvar.clips.messages import Coming, Inputs, Message, SampledPicture, SecondWindow, Settled
from edgecvar.clips.motion_source import MotionSource
from edgecvar.clips.pace import Pace
from edgecvar.clips.prepare import Prepared, Preparer
from edgecvar.clips.sampling import OneOfEvery
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.types import RECONNECTED, Break, CodedPicture, StreamInfo, StreamSummary

if TYPE_CHECKING:
    from edgecvar.stream.native._core import Picture


class PictureStream(Protocol):
    """What a run needs of an open stream."""

    @property
    def info(self) -> StreamInfo: ...

    @property
    def summary(self) -> StreamSummary: ...

    def __iter__(self) -> Iterator[CodedPicture]: ...


class Watcher(Protocol):
    """Sees every picture, in decode order and from the reader thread."""

    def picture(self, picture: CodedPicture, velocity: Optional[NDArray[np.float32]]) -> None:
        """`velocity` (H/4, W/4, xy) is None on I-pictures and before the first of them."""
        ...


@dataclass(frozen=True)
class Excerpt:
    """Of a stream that is read from within: what sampling would know had all of it been read.

    `counted_from`: the display index, of this reading and so mostly below 0, that sampling counts from. Pictures before
    `sampled_from`, a decode index of this reading, are followed, and none of them is sampled.
    """

    counted_from: int
    sampled_from: int


@dataclass(frozen=True)
class Demand:
    """What to prepare: the sources that stages take, whether of neighbours too, and every how many pictures.

    With `late` fewer are sampled while decisions come more than so many seconds after their pictures. `excerpt` is
    there where the stream is part of another.
    """

    sources: FrozenSet[str]
    adjacent: bool
    every: int
    late: Optional[float] = None
    excerpt: Optional[Excerpt] = None


@dataclass
class FeedCounts:
    """What has been read so far, and sampled so far of it; of each entry, one thread counts.

    `thinned` were not sampled because decisions came late.
    """

    pictures: int = 0
    sampled: int = 0
    thinned: int = 0
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
    """Walks a stream once; the counts can be read at any time. `pace` is told how late what was sampled is."""

    def __init__(self, stream: PictureStream, spec: InputSpec, demand: Demand, clock: Clock) -> None:
        self.counts = FeedCounts()
        self._stream = stream
        self._spec = spec
        self._demand = demand
        self._clock = clock
        self._trace_clock = clock if spec.accumulate else NoClock()
        self._set_up(stream.info)
        self._cutter = WindowCutter(spec.gop_length)
        self.pace = Pace(demand.every, demand.late)
        excerpt = demand.excerpt
        self._picker = OneOfEvery(demand.every, None if excerpt is None else excerpt.counted_from)
        self._sampled_from = 0 if excerpt is None else excerpt.sampled_from
        self._every = demand.every
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
        with closing(self.coming(watcher)) as coming:
            for message in coming:
                yield message.message() if isinstance(message, Coming) else message

    def coming(
        self, watcher: Optional[Watcher] = None, awaited: Callable[[], bool] = lambda: False
    ) -> Generator[Union[Message, Coming, None], None, None]:
        """The messages in their order, some of them still to come, for another thread.

        While that thread has nothing to do, which `awaited` tells, it is left to prepare what needs nothing else.
        """
        try:
            yield from self._coming(watcher, awaited)
        finally:
            self._ahead.shutdown()

    def _coming(
        self, watcher: Optional[Watcher], awaited: Callable[[], bool]
    ) -> Iterator[Union[Message, Coming, None]]:
        pictures = iter(self._stream)
        while True:
            with self._clock.span("read"):
                picture = next(pictures, None)
            if picture is None:
                return
            read_at = time.perf_counter() if picture.arrived is None else picture.arrived
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
            sample = self._sample(picture, position.window, read_at, awaited) if usable else None
            yield sample
            if sample is not None:
                self._unsettled.append(picture.display_index)
            if any(index < below for index in self._unsettled):
                self._unsettled = [index for index in self._unsettled if index >= below]
                yield Settled(below)

    def _set_up(self, info: StreamInfo) -> None:
        self._info = info
        self._motion_source = MotionSource(info, self._spec, residual="residual" in self._demand.sources)
        self._preparer = Preparer(info, self._spec)

    def _reopen(self, opens: Break) -> None:
        """The stream breaks: no window reaches over this place, and no I-picture over a size change or reconnection."""
        anew = opens.info != self._info or opens.reason == RECONNECTED
        if anew:
            self._set_up(opens.info)
            self._newest = None
        self._cutter.reopen(keep=not anew)
        self._picker = OneOfEvery(self._every)
        self._part += 1
        self._before = self._current = None
        self._awaited = False

    def _follow(self, picture: CodedPicture, usable: bool, watcher: Optional[Watcher]) -> None:
        with self._trace_clock.span("trace", picture.decode_index):
            self._motion_source.push(picture)
        if watcher is not None:
            moving = usable and picture.motion is not None
            watcher.picture(picture, self._motion_source.motion(picture) if moving else None)
        if picture.has_image:
            newest, self._newest = self._newest, self._appearance_of(picture)
            if newest is not None and newest.wanted:  # where few of them are, most would be decoded for nothing
                self._newest.begin()

    def _appearance_of(self, picture: CodedPicture) -> AppearancePicture:
        return AppearancePicture(picture, self._preparer if self._takes_images else None, self._ahead, self._clock)

    def _second_window(self) -> Coming:
        self._awaited = False
        assert self._current is not None and self._before is not None
        return Coming(partial(_second_window, self._current.want(), self._before))

    def _sample(
        self, picture: CodedPicture, window: int, read_at: float, awaited: Callable[[], bool]
    ) -> Optional[Coming]:
        if self._every != self.pace.every:
            self._every = self.pace.every
            self._picker = OneOfEvery(self._every)
        taken = self._picker.push(picture.display_index, picture.kind, picture.kind in self._spec.kinds)
        if not taken or picture.decode_index < self._sampled_from:
            return None
        self.counts.thinned += self._every // self._demand.every - 1
        assert self._current is not None  # every window has an I-picture
        current = self._current.want()
        with self._clock.span("parse", picture.decode_index):
            parsed = self._motion_source.parsed(picture)
        inputs = partial(self._inputs, picture, parsed, self._preparer)
        if parsed is None or not awaited():
            inputs = partial(_known, inputs())
        made = partial(
            SampledPicture,
            decode_index=picture.decode_index,
            display_index=picture.display_index,
            pts_seconds=picture.pts_seconds,
            window=window,
            read_at=read_at,
            part=self._part,
        )
        return Coming(partial(self._sampled, made, inputs, current, self._neighbour()), read_at)

    def _sampled(
        self,
        made: Callable[..., SampledPicture],
        prepared: Callable[[], Optional[Inputs]],
        current: AppearancePicture,
        beside: Optional[AppearancePicture],
    ) -> Optional[SampledPicture]:
        inputs, appearance = prepared(), current.appearance()
        if inputs is None or appearance is None:
            self.counts.skip("picture that cannot be decoded" if appearance else "I-picture that cannot be decoded")
            return None
        adjacent = None if beside is None else beside.appearance() or appearance
        self.counts.sampled += 1
        return made(inputs=inputs, current=appearance, adjacent=adjacent)

    def _inputs(self, picture: CodedPicture, parsed: Optional[Picture], preparer: Preparer) -> Optional[Inputs]:
        """By source; None where the picture's frame cannot be decoded."""
        sources = self._demand.sources
        values: Dict[str, Prepared] = {}
        with self._clock.span("prepare", picture.decode_index):
            if "frame" in sources:
                frame = _frame(picture)
                if frame is None:
                    return None
                values["frame"] = frame
            of = self._motion_source
            for source, value in (("motion", of.motion), ("residual", of.residual), ("intra", of.intra)):
                if source in sources:
                    values[source] = value(picture) if parsed is None else parsed
            return preparer.inputs(values)

    def _neighbour(self) -> Optional[AppearancePicture]:
        """None where no stage asks for it, and in the first window, where it is awaited."""
        if not self._demand.adjacent:
            return None
        self._awaited = self._before is None
        return None if self._before is None else self._before.want()


def _known(inputs: Optional[Inputs]) -> Optional[Inputs]:
    return inputs


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


def _second_window(second: AppearancePicture, first: AppearancePicture) -> Optional[SecondWindow]:
    appearance = second.appearance() or first.appearance()
    return None if appearance is None else SecondWindow(appearance)
