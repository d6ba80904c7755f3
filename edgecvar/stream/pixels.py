"""Every picture as it is shown: for drawing on, never for recognising."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Iterator, Optional, cast

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError
from edgecvar.stream.clock import DisplayClock
from edgecvar.stream.container import open_video
from edgecvar.stream.decoders import decode, viewer
from edgecvar.stream.nal.composed import ComposedPacket
from edgecvar.stream.nal.units import as_decodable, length_size_of
from edgecvar.stream.native.sound_sets import SoundSets
from edgecvar.stream.packets import coded_packets, numbered_packets
from edgecvar.stream.sources.opening import TIMEOUT, Source

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame


@dataclass(frozen=True)
class ShownPicture:
    """`display_index` and `pts_seconds` are those of the CodedPicture; `image` uint8 (height, width, 3), unrotated."""

    display_index: int
    pts_seconds: float
    image: NDArray[np.uint8]


def decoded_pictures(source: Source, extraction: str = "ffmpeg", timeout: float = TIMEOUT) -> Iterator[ShownPicture]:
    """Decode a video a second time, in display order and with the loop filter; raises StreamError.

    It takes the packets that `open_stream` takes and numbers the pictures as it does; `extraction` is what `info`
    of that reading says: a native one gives pictures whose references are lost, too.
    """
    with open_video(source, timeout) as video:
        context = viewer(video.context, incomplete=extraction == "native")
        sets = SoundSets(video.codec, video.context.extradata)
        length_size = length_size_of(video.context.extradata, "hevc")
        clock = DisplayClock(video.fps)
        index = 0
        packets = coded_packets(video, _already_counted)
        checked = (sets.checked(packet) for _, packet in numbered_packets(packets, clock))
        if video.codec == "hevc" and extraction == "native":
            checked = (_not_dropped(packet, length_size) for packet in checked)
        for frame in _frames(context, checked):
            if frame.pts is not None and clock.awaits(frame.pts):
                moment = clock.show(frame.pts, index)
                if moment.shown:
                    image = cast("NDArray[np.uint8]", frame.to_ndarray(format="rgb24"))
                    yield ShownPicture(index, moment.pts_seconds, image)
                index += 1


def _already_counted(reason: str) -> None:
    """The reader of the same packets counts the break."""


def _not_dropped(packet: Packet[Any], length_size: Optional[int]) -> Packet[Any]:
    """The packet, of HEVC, such that it gives a picture although what that refers to is not there."""
    data = bytes(packet)
    called = as_decodable(data, length_size)
    return packet if called == data else cast("Packet[Any]", ComposedPacket(packet, called, keyframe=False))


def _frames(context: VideoCodecContext, packets: Iterator[Packet[Any]]) -> Iterator[VideoFrame]:
    for packet in chain(packets, [None]):
        with suppress(StreamError):  # the reader of the same packets tells of it
            yield from decode(context, packet)
