"""The image of an I-picture, decoded from its own packet when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError
from edgecvar.stream.colour import rgb_of
from edgecvar.stream.decoders import KeyDecoder
from edgecvar.stream.planes import Geometry

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@dataclass
class KeyPicture:
    """What the image of the I-picture `index` (in decode order) is made of; `frame` where it is decoded already.

    `name` is how errors name the source.
    """

    name: str
    decoder: KeyDecoder
    index: int
    sets: bytes
    packet: bytes
    frame: Optional[VideoFrame] = None

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
                f"{self.name}: I-picture {self.index} has no image, though its header is sound: {error}; "
                "vectors and residuals can be read without images"
            ) from error
        return rgb_of(frame, geometry)
