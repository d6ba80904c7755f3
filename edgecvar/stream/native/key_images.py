"""I-pictures from their own packets alone, decoded when asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, List, Optional

import av
import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError
from edgecvar.stream.colour import rgb_of
from edgecvar.stream.planes import Geometry
from edgecvar.stream.reading import DECODER

# A picture that the decoder has no recovery point for is given out all the same: it needs no other one.
_EVERY_PICTURE = {"flags": "+output_corrupt", "flags2": "+showall"}


class KeyDecoder:
    """One decoder that is given single packets, none of which knows of the others; may be shared by threads."""

    def __init__(self, context: Any, name: str) -> None:
        context.options = {**DECODER, **_EVERY_PICTURE}
        context.thread_type, context.thread_count = "SLICE", 1
        self.name = name
        self._context = context
        self._sets: Optional[bytes] = None
        self._lock = threading.Lock()

    def frame(self, sets: bytes, packet: bytes) -> Any:
        """The decoded frame of `packet`, read with the parameter sets `sets`; raises StreamError with the reason."""
        with self._lock:
            given = packet if sets == self._sets else sets + packet
            self._sets = None
            frames = self._drained(given)
            self._sets = sets
        if not frames:
            raise StreamError("the decoder gives no picture for it")
        return frames[0]

    def _drained(self, data: bytes) -> List[Any]:
        try:
            return [*self._context.decode(av.Packet(data)), *self._context.decode(None)]
        except (av.error.FFmpegError, ValueError) as error:
            raise StreamError(getattr(error, "strerror", None) or str(error)) from error
        finally:
            if self._context.is_open:
                self._context.flush_buffers()


@dataclass
class KeyPicture:
    """What the image of the I-picture `index` (in decode order) is made of; `frame` where it is decoded already."""

    decoder: KeyDecoder
    index: int
    sets: bytes
    packet: bytes
    frame: Any = None

    def image(self, geometry: Geometry) -> NDArray[np.uint8]:
        """Displayed RGB uint8 (height, width, 3); raises StreamError where FFmpeg cannot decode the packet."""
        frame, self.frame = self.frame, None
        try:
            if frame is None:
                frame = self.decoder.frame(self.sets, self.packet)
            if (frame.width, frame.height) != (geometry.coded_width, geometry.coded_height):
                raise StreamError(f"it is decoded as {frame.width}x{frame.height}")
        except StreamError as error:
            raise StreamError(
                f"{self.decoder.name}: I-picture {self.index} has no image, though its header is sound: {error}; "
                "vectors and residuals can be read without images"
            ) from error
        return rgb_of(frame, geometry)
