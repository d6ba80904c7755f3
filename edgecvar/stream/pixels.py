"""Every picture as it is shown: for drawing on, never for recognising."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, List, Optional, Tuple

import av
import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.clock import DisplayClock
from edgecvar.stream.container import Source, choose_video, codec_name, frame_rate, open_container, source_name
from edgecvar.stream.packets import coded_packets, numbered_packets


@dataclass(frozen=True)
class ShownPicture:
    """`display_index` and `pts_seconds` are those of the CodedPicture; `image` uint8 (height, width, 3), unrotated."""

    display_index: int
    pts_seconds: float
    image: NDArray[np.uint8]


_EVERY_PICTURE = {"flags": "+output_corrupt", "flags2": "+showall"}


def decoded_pictures(source: Source, extraction: str = "ffmpeg") -> Iterator[ShownPicture]:
    """Decode a video a second time, in display order and with the loop filter; raises StreamError.

    It takes the packets that `open_stream` takes and numbers the pictures as it does; `extraction` is what `info`
    of that reading says: a native one gives pictures whose references are lost, too.
    """
    with open_container(source) as container:
        video = choose_video(container, source_name(source))
        codec = codec_name(video, source_name(source))
        context = video.codec_context
        # With frame threads an undecodable packet could take other pictures with it.
        context.thread_type, context.thread_count = "SLICE", 1
        if extraction == "native":
            context.options = dict(_EVERY_PICTURE)
        clock = DisplayClock(frame_rate(video))
        shown = 0
        packets = coded_packets(container, video, codec, _already_counted)
        for frame in _frames(context, numbered_packets(packets, clock)):
            if frame.pts is not None and clock.awaits(frame.pts):
                yield ShownPicture(shown, clock.show(frame.pts, shown), frame.to_ndarray(format="rgb24"))
                shown += 1


def _already_counted(reason: str) -> None:
    """The reader of the same packets counts the break."""


def _frames(context: Any, packets: Iterator[Tuple[int, Any]]) -> Iterator[Any]:
    for _, packet in packets:
        yield from _decode(context, packet)
    yield from _decode(context, None)


def _decode(context: Any, packet: Optional[Any]) -> List[Any]:
    try:
        frames: List[Any] = context.decode(packet)
    except av.error.FFmpegError:
        return []
    return frames
