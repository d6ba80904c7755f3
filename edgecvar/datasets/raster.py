"""Decoded frames of any size and shape as the encoder takes them: progressive, upright, of one size."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Iterator, List, Optional, Tuple, cast

import av
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from edgecvar.stream.container import rotation_of

if TYPE_CHECKING:
    from av.filter.context import FilterContext

Numbered = Tuple[int, "VideoFrame"]
"""A frame and the number that it was given with."""
_PARTS = 2
"""Of a tick, in which yadif tells times: it could give a frame for each field."""


class Fitting:
    """Makes planes of frames: uint8 (height * 3 / 2, width), y above cb above cr, in BT.601 with limited range.

    The whole frame is stretched to the size, whatever its shape, by bicubic interpolation, as the papers do; what its
    display matrix turns is turned first.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._scaler = VideoReformatter()

    def planes(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Of a frame as it is decoded."""
        turns = rotation_of(frame) // 90
        width, height = self._size if turns % 2 == 0 else self._size[::-1]
        fitted = self._scaler.reformat(
            frame,
            width,
            height,
            "yuv420p",
            dst_colorspace=Colorspace.ITU601,
            interpolation=Interpolation.BICUBIC,
            dst_color_range="MPEG",
        )
        samples = [np.rot90(_samples(plane), turns).reshape(-1) for plane in fitted.planes]
        return np.concatenate(samples).reshape(-1, self._size[0])


def _samples(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height]
    return rows.reshape(plane.height, plane.line_size)[:, : plane.width]


def clean_frame(planes: NDArray[np.uint8], number: int, fps: Fraction) -> VideoFrame:
    """A frame for the encoder that knows nothing of its source: no picture kind, no captions, no rotation."""
    frame = VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = number, 1 / fps
    return frame


class Progressive:
    """Passes frames on, those that are two fields made whole by yadif; `interlaced` counts these.

    The filter stands from the first of them on, and holds one frame back.
    """

    def __init__(self) -> None:
        self.interlaced = 0
        self._graph: Optional[Graph] = None
        self._shape: Tuple[int, int, str] = (0, 0, "")

    def frames(self, given: Iterator[Numbered]) -> Iterator[Numbered]:
        """The same numbers in the same order."""
        for number, frame in given:
            shape = frame.width, frame.height, frame.format.name
            fields = bool(frame.interlaced_frame)
            self.interlaced += fields
            if self._graph is not None and shape != self._shape:
                yield from self._drained()
            if self._graph is None and not fields:
                yield number, frame
                continue
            yield from self._filtered(number, frame, shape)
        yield from self._drained()

    def _filtered(self, number: int, frame: VideoFrame, shape: Tuple[int, int, str]) -> List[Numbered]:
        if self._graph is None:
            self._graph, self._shape = _deinterlacing(*shape), shape
        frame.pts, frame.time_base = number, Fraction(1)
        self._graph.push(frame)
        return list(_pulled(self._graph))

    def _drained(self) -> List[Numbered]:
        graph, self._graph = self._graph, None
        if graph is None:
            return []
        graph.push(None)
        return list(_pulled(graph))


def _deinterlacing(width: int, height: int, form: str) -> Graph:
    graph = Graph()
    layout = av.VideoFormat(form, width, height)
    source = graph.add_buffer(width=width, height=height, format=layout, time_base=Fraction(1))
    chain: List[FilterContext] = [source, graph.add("yadif", "deint=interlaced"), graph.add("buffersink")]
    graph.link_nodes(*chain).configure()
    return graph


def _pulled(graph: Graph) -> Iterator[Numbered]:
    while True:
        try:
            frame = cast(VideoFrame, graph.pull())
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield (frame.pts or 0) // _PARTS, frame
