"""Every picture as it is shown: for drawing on, or to be encoded anew; never for recognising."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional, cast

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError
from edgecvar.stream.clock import DisplayClock
from edgecvar.stream.container import OpenVideo, open_video
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
        for shown in shown_frames(video, incomplete=extraction == "native"):
            image = cast("NDArray[np.uint8]", shown.frame.to_ndarray(format="rgb24"))
            yield ShownPicture(shown.display_index, shown.pts_seconds, image)


@dataclass(frozen=True)
class ShownFrame:
    """A decoded frame, neither turned nor converted, and when it is shown."""

    display_index: int
    pts_seconds: float
    frame: VideoFrame


def _already_counted(reason: str) -> None:
    """The reader of the same packets counts what cannot be read."""


def shown_frames(
    video: OpenVideo, incomplete: bool = False, lost: Callable[[str], None] = _already_counted
) -> Iterator[ShownFrame]:
    """The frames of an open video from where it stands, in display order; `incomplete`: with lost references, too.

    `lost` is called with the reason where a packet cannot be decoded or the container breaks off.
    """
    context = viewer(video.context, incomplete)
    sets = SoundSets(video.codec, video.context.extradata)
    length_size = length_size_of(video.context.extradata, "hevc")
    clock = DisplayClock(video.fps)
    index = 0
    packets = coded_packets(video, lost)
    checked = (sets.checked(packet) for _, packet in numbered_packets(packets, clock))
    if video.codec == "hevc" and incomplete:
        checked = (_not_dropped(packet, length_size) for packet in checked)
    for frame in _frames(context, checked, lost):
        if frame.pts is not None and clock.awaits(frame.pts):
            moment = clock.show(frame.pts, index)
            if moment.shown:
                yield ShownFrame(index, moment.pts_seconds, frame)
            index += 1


def _not_dropped(packet: Packet[Any], length_size: Optional[int]) -> Packet[Any]:
    """The packet, of HEVC, such that it gives a picture although what that refers to is not there."""
    data = bytes(packet)
    called = as_decodable(data, length_size)
    return packet if called == data else cast("Packet[Any]", ComposedPacket(packet, called, keyframe=False))


def _frames(
    context: VideoCodecContext, packets: Iterator[Packet[Any]], lost: Callable[[str], None]
) -> Iterator[VideoFrame]:
    for packet in chain(packets, [None]):
        try:
            frames = decode(context, packet)
        except StreamError as error:
            lost(str(error))
        else:
            yield from frames
