"""The images of I-pictures and of pictures that complete a recovery, decoded from their packets when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from edgecvar.errors import StreamError
from edgecvar.stream.colour import ShownPlanes, planes_of
from edgecvar.stream.decoders import recovered_frame
from edgecvar.stream.images.keys import KeyImages
from edgecvar.stream.images.recovery import RecoveryRun
from edgecvar.stream.planes import Geometry

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame


@dataclass
class KeyPicture:
    """The I-picture `index` (in decode order); `frame` where it is decoded already. `name` is that of the source."""

    name: str
    images: KeyImages
    index: int
    sets: bytes
    packet: bytes
    frame: Optional[VideoFrame] = None

    def planes(self, geometry: Geometry) -> ShownPlanes:
        """Its displayed rectangle; raises StreamError where no decoder can decode the packet."""
        frame, self.frame = self.frame, None
        try:
            return self.images.shown(self.sets, self.packet, geometry, frame)
        except StreamError as error:
            raise _none(
                f"{self.name}: I-picture {self.index} has no image, though its header is sound", error
            ) from error


@dataclass(frozen=True)
class RecoveredPicture:
    """The picture `index` (in decode order), which completes a recovery; `like` is what its packets are made for.

    `name` is that of the source.
    """

    name: str
    like: VideoCodecContext
    index: int
    run: RecoveryRun

    def planes(self, geometry: Geometry) -> ShownPlanes:
        """Its displayed rectangle; raises StreamError where the run cannot be decoded."""
        try:
            frame = recovered_frame(self.like, self.run)
            if (frame.width, frame.height) != (geometry.coded_width, geometry.coded_height):
                raise StreamError(f"it is decoded as {frame.width}x{frame.height}")
        except StreamError as error:
            raise _none(
                f"{self.name}: picture {self.index} has no image, though a recovery ends there", error
            ) from error
        return planes_of(frame, geometry)


def _none(which: str, error: StreamError) -> StreamError:
    return StreamError(f"{which}: {error}; vectors and residuals can be read without images")
