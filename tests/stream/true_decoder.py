"""An independent decode by FFmpeg, before the loop filters, that pictures are compared with."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple, Union

import av
import numpy as np

from edgecvar.stream.sources.demuxing import LENIENT_METADATA
from edgecvar.stream.types import CodedPicture

_MEMORY = 400_000_000  # bytes of pictures kept, and of what is made from them
_DELAY = 40  # packets after which a picture that FFmpeg has not given out never comes


@dataclass(frozen=True)
class Standard:
    """What of the check is one standard's own.

    `length_size` tells the bytes of a NAL unit's length from the extradata, 0 where start codes divide them, and
    `has_slices` whether a packet holds slices of a picture; `picture` and `predict` are its inter prediction. Squares
    of `square` luma samples are coded in raster order, and what is in them in z-scan.
    """

    codec: str
    length_size: Callable[[bytes], int]
    has_slices: Callable[[bytes, int], bool]
    picture: Callable[[List[np.ndarray], int], Any]
    predict: Callable[..., Any]
    square: int = 16


class TrueDecoder:
    """An independent decode by FFmpeg, one thread, without the loop filter; pictures by number of their packet."""

    def __init__(
        self,
        standard: Standard,
        source: Union[str, Path],
        loop_filter: str = "all",
        export: bool = False,
    ) -> None:
        self.standard = standard
        self._container: Any = av.open(str(source), **LENIENT_METADATA)
        streams = [s for s in self._container.streams.video if s.codec_context.name == self.standard.codec]
        self._stream = max(streams, key=lambda s: (s.frames or 0, (s.codec_context.width or 0), -s.index))
        self._context: Any = self._stream.codec_context
        self._context.thread_count, self._context.thread_type = 1, "SLICE"
        self._context.options = {
            "flags": "+output_corrupt",
            "flags2": "+showall" + ("+export_mvs" if export else ""),
            "skip_loop_filter": loop_filter,
            "apply_cropping": "0",
            "strict": "1",  # else pictures that come later than FFmpeg guessed are dropped
        }
        self._length_size = self.standard.length_size(self._context.extradata or b"")
        self.coded: List[int] = []
        """Numbers of the packets that hold slices: the k-th picture in decode order is in the k-th of them."""
        self.order: List[int] = []
        """Packet numbers in the order in which FFmpeg put the pictures out."""
        self.errors = 0
        self.ended = False
        self._fed = 0
        self._frames: OrderedDict[int, Any] = OrderedDict()
        self._pictures: OrderedDict[int, Any] = OrderedDict()
        self._packets = self._numbered()

    def close(self) -> None:
        self._frames.clear()
        self._pictures.clear()
        self._container.close()

    def _numbered(self) -> Iterator[Any]:
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    data = bytes(packet)
                    fresh = av.Packet(data) if getattr(packet, "is_discard", False) else packet
                    fresh.pts = fresh.dts = self._fed
                    if self.standard.has_slices(data, self._length_size):
                        self.coded.append(self._fed)
                    yield fresh
        except (av.error.FFmpegError, ValueError, OSError):
            self.errors += 1

    def _step(self) -> None:
        packet = next(self._packets, None)
        self.ended = packet is None
        self._fed += packet is not None
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError:
            self.errors += 1
            return
        for frame in frames:
            if frame.pts is not None:
                self._frames[frame.pts] = frame
                self.order.append(frame.pts)

    def packet_of(self, picture: CodedPicture) -> Optional[int]:
        """The packet of a picture: the one it was parsed from, or by count, since a picture takes a packet."""
        for name in ("_picture", "_current"):
            if hasattr(picture.content, name):
                return int(getattr(picture.content, name).number)
        while len(self.coded) <= picture.decode_index and not self.ended:
            self._step()
        return self.coded[picture.decode_index] if picture.decode_index < len(self.coded) else None

    def frame(self, number: int) -> Optional[Any]:
        """FFmpeg's frame of a packet; None where it gave none, or it was let go of."""
        while number not in self._frames and not self.ended and self._fed <= number + _DELAY:
            self._step()
        if number in self._frames:
            self._frames.move_to_end(number)
        return self._frames.get(number)

    def picture(self, number: int) -> Optional[Any]:
        """The picture of a packet; the ones unused for longest are let go of when memory runs short."""
        frame = self.frame(number)
        if frame is None:
            return None
        if number not in self._pictures:
            self._pictures[number] = self.standard.picture(*planes_of(frame))
        self._pictures.move_to_end(number)
        self._trim(self._pictures[number].raw)
        return self._pictures[number]

    def _trim(self, raw: int) -> None:
        derived = sum(picture.derived for picture in self._pictures.values())
        for picture in self._pictures.values():
            if derived <= _MEMORY:
                break
            derived -= picture.derived
            picture.forget()
        while len(self._frames) > max(2 * _DELAY, _MEMORY // raw):
            gone, _ = self._frames.popitem(last=False)
            self._pictures.pop(gone, None)


def planes_of(frame: Any) -> Tuple[List[np.ndarray], int]:
    """Planes of a frame over the coded size, and the greatest sample; raises ValueError for other formats."""
    name = frame.format.name
    if not name.startswith(("yuv420p", "yuvj420p", "gray")):
        raise ValueError(f"no truth for {name}")
    depth = int(name[-4:-2]) if name.endswith("le") else 8
    samples = np.dtype(np.uint8 if depth == 8 else np.uint16)
    planes = []
    for plane in frame.planes[: 1 if name.startswith("gray") else 3]:
        whole = np.frombuffer(plane, samples).reshape(-1, plane.line_size // samples.itemsize)
        planes.append(whole[: plane.height, : plane.width])
    return planes, (1 << depth) - 1
