"""The decoded frame of every picture, beside a reading that needs none: one pass over the packets feeds both.

A reading gives pictures in decode order as soon as their place in display order is certain; a decoder gives frames in
display order. Both are told apart by the number of their packet, so that a picture has its own frame or none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Generator, Iterable, Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError
from edgecvar.stream.clock import MAX_REORDER, DisplayClock, Moment
from edgecvar.stream.colour import ShownPlanes, planes_of
from edgecvar.stream.container import OpenVideo
from edgecvar.stream.decoders import decode, viewer_beside
from edgecvar.stream.native.sound_sets import SoundSets
from edgecvar.stream.open_source import Reading
from edgecvar.stream.packets import to_decode
from edgecvar.stream.planes import Geometry
from edgecvar.stream.types import CodedPicture

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

_NO_FRAME = "the decoder gives no frame for it"


@dataclass(frozen=True)
class DecodedPicture:
    """What a decoder made of one picture; `frame` is None where it made nothing, and `why` then says so."""

    where: str
    frame: Optional[VideoFrame]
    why: str
    geometry: Geometry

    def planes(self) -> ShownPlanes:
        """The displayed rectangle, views of the frame's samples; raises StreamError where there is no frame."""
        geometry, frame = self.geometry, self.frame
        if frame is None:
            raise StreamError(f"{self.where} cannot be decoded: {self.why}")
        sizes = (geometry.coded_width, geometry.coded_height), (geometry.width, geometry.height)
        if (frame.width, frame.height) not in sizes:
            raise StreamError(f"{self.where} cannot be used: it is decoded as {frame.width}x{frame.height}")
        return planes_of(frame, geometry)

    def rgb(self) -> NDArray[np.uint8]:
        """uint8 RGB (height, width, 3), as `CodedPicture.image`; raises StreamError where there is no frame."""
        return self.planes().rgb()


class FrameClock(DisplayClock):
    """A DisplayClock that remembers which packet each picture is of."""

    def __init__(self, fps: Fraction, told: Optional[Callable[[int, Moment], None]] = None) -> None:
        super().__init__(fps, told)
        self.numbers: Dict[int, int] = {}

    def show(self, number: int, display_index: int) -> Moment:
        self.numbers[display_index] = number
        return super().show(number, display_index)


@dataclass(frozen=True)
class _QueuedPicture:
    """A picture of the reading, and its packet; it has no frame where none has come out before packet `last`."""

    picture: CodedPicture
    number: int
    last: int


class FrameDecoder:
    """Decodes what it passes on, as a viewer would: all pictures, in one thread, with the loop filter.

    The reading must take its packets from `packets` and its times from `clock`. The container's own decoder stays the
    reading's.
    """

    def __init__(self, video: OpenVideo, told: Optional[Callable[[int, Moment], None]] = None) -> None:
        self.clock = FrameClock(video.fps, told)
        self._name = video.name
        self._context = viewer_beside(video.context)
        self._sets = SoundSets(video.codec, video.context.extradata)
        self._frames: Dict[int, VideoFrame] = {}
        self._failed: Dict[int, str] = {}
        self._geometry: Optional[Geometry] = None
        self._fed = 0
        self._ended = False

    def packets(self, packets: Iterable[Packet[Any]]) -> Generator[Packet[Any], None, None]:
        """The packets, each one decoded before it is passed on."""
        for packet in packets:
            self._feed(packet)
            yield packet
        self._drain()

    def pictures(self, reading: Reading) -> Generator[CodedPicture, None, None]:
        """The reading's pictures with `decoded` filled in; each waits until its frame is there, or never will be."""
        waiting: Deque[_QueuedPicture] = deque()
        pictures, self._geometry = reading.pictures(), Geometry.of(reading.info)
        failure: Optional[StreamError] = None
        try:
            for picture in pictures:
                # All that is shown before it has been fed: the decoder is behind by what it reorders, and no more.
                number, last = self.clock.numbers.pop(picture.display_index), self._fed + MAX_REORDER
                waiting.append(_QueuedPicture(picture, number, last))
                while waiting and self._settled(waiting[0]):
                    yield self._with_frame(waiting.popleft())
        except StreamError as error:
            failure = error  # what came before it is sound
        finally:
            pictures.close()
        self._drain()
        while waiting:
            yield self._with_frame(waiting.popleft())
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Lets go of all frames."""
        self._ended = True
        self._frames.clear()

    def _feed(self, packet: Packet[Any]) -> None:
        times = packet.pts, packet.dts
        self._decode(self._sets.checked(to_decode(packet, self._fed)))
        packet.pts, packet.dts = times
        self._fed += 1

    def _drain(self) -> None:
        if not self._ended:
            self._ended = True
            self._decode(None)

    def _decode(self, packet: Optional[Packet[Any]]) -> None:
        try:
            for frame in decode(self._context, packet):
                if frame.pts is not None:
                    self._frames.setdefault(frame.pts, frame)
        except StreamError as error:
            if packet is not None and packet.pts is not None:
                self._failed[packet.pts] = str(error)

    def _settled(self, queued: _QueuedPicture) -> bool:
        return queued.number in self._frames or self._ended or self._fed > queued.last

    def _with_frame(self, queued: _QueuedPicture) -> CodedPicture:
        picture, number = queued.picture, queued.number
        frame, why = self._frames.pop(number, None), self._failed.pop(number, _NO_FRAME)
        # Pictures come in the order of their packets: what is older belongs to none.
        for left in (self._frames, self._failed):
            for old in [each for each in left if each < number]:
                del left[old]
        if picture.opens is not None:
            self._geometry = Geometry.of(picture.opens.info)
        assert self._geometry is not None
        where = f"{self._name}: picture {picture.decode_index} ({picture.kind})"
        return replace(picture, decoded=DecodedPicture(where, frame, why, self._geometry))
