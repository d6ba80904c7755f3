"""Every picture as it is shown: for drawing on, never for recognising."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, List

import av
import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.clock import DisplayClock
from edgecvar.stream.container import Source, choose_video, codec_name, frame_rate, open_container, source_name


@dataclass(frozen=True)
class ShownPicture:
    """`display_index` and `pts_seconds` are those of the CodedPicture; `image` uint8 (height, width, 3), unrotated."""

    display_index: int
    pts_seconds: float
    image: NDArray[np.uint8]


def decoded_pictures(source: Source) -> Iterator[ShownPicture]:
    """Decode a video a second time, in display order and with the loop filter; raises StreamError.

    It takes the packets that `open_stream` takes and numbers the pictures as it does.
    """
    with open_container(source) as container:
        video = choose_video(container, source_name(source))
        codec = codec_name(video, source_name(source))
        context = video.codec_context
        # With frame threads an undecodable packet could take other pictures with it.
        context.thread_type, context.thread_count = "SLICE", 1
        clock = DisplayClock(frame_rate(video))
        shown = 0
        for number, packet in enumerate(_packets(container, video, codec)):
            if packet is not None:
                clock.packet(number, packet)
                # What an edit list hides is decoded and numbered like the rest.
                packet = av.Packet(bytes(packet)) if getattr(packet, "is_discard", False) else packet
                packet.pts = packet.dts = number
            for frame in _decode(context, packet):
                if frame.pts is not None:
                    yield ShownPicture(shown, clock.show(frame.pts, shown), frame.to_ndarray(format="rgb24"))
                    shown += 1


def _packets(container: Any, video: Any, codec: str) -> Iterator[Any]:
    """Packets that carry data, then None to flush; a container that breaks off ends them."""
    unpack = av.bitstream.BitStreamFilterContext("mpeg4_unpack_bframes", video) if codec == "mpeg4" else None
    try:
        for packet in container.demux(video):
            for whole in unpack.filter(packet if packet.size else None) if unpack else [packet]:
                if whole.size:
                    yield whole
    except (av.error.FFmpegError, ValueError, OSError):
        pass  # the reader of the same packets has counted it
    yield None


def _decode(context: Any, packet: Any) -> List[Any]:
    try:
        frames: List[Any] = context.decode(packet)
    except av.error.FFmpegError:
        return []
    return frames
