"""The I-pictures of one stream, by the decoder that was chosen for them; in software where that fails."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Dict, Optional

from edgecvar.errors import DeviceError, EdgecvarError, StreamError
from edgecvar.stream.colour import ShownPlanes, planes_of
from edgecvar.stream.decoders import KeyDecoder
from edgecvar.stream.images.choice import candidates
from edgecvar.stream.images.decoder import CodedPlanes, ImageDecoder, NotRewritten
from edgecvar.stream.images.hardware import HardwareDecoder
from edgecvar.stream.planes import Geometry, coded_planes

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

    from edgecvar.stream.native._core import IdrWriter
    from edgecvar.stream.types import StreamSummary

SOFTWARE = "software"
MOST_DIFFERENCE = 0.5
"""Of the same picture in software, on average; decoding is exact, and only what hides damage may differ."""
_BEGIN_SECONDS = 5.0
_PICTURE_SECONDS = 1.5
_NOT_REWRITTEN = "not for hardware"


class KeyImages:
    """Decodes I-pictures by what `decoder` stands for; `name` says by what, and `note` why. Threads take turns.

    `context` is the container's, which nothing else may decode with; `core` the compiled module, which writes pictures
    of that `codec` anew. What is chosen is chosen with the first I-picture that can be rewritten. Whenever parameter
    sets change a picture is decoded twice, and compared: it also tells the colours that they speak of.
    """

    def __init__(self, context: VideoCodecContext, codec: str, core: Any, summary: StreamSummary, decoder: str) -> None:
        self.name, self.note = SOFTWARE, ""
        self._software = KeyDecoder(context)
        self._core, self._summary = core, summary
        self._asked, self._untried = decoder, candidates(decoder, codec)
        self._codec, self._extradata = codec, context.extradata or b""
        if decoder == "auto" and not self._untried:
            self.note = "no device file speaks of a decoder in hardware"
        self._decoder: Optional[ImageDecoder] = None
        self._sets: Optional[bytes] = None  # of the last comparison
        self._matrix, self._full = 0, False
        self._lock = threading.Lock()
        self._closed = False

    def frame(self, sets: bytes, packet: bytes) -> VideoFrame:
        """The picture in software; raises StreamError with the reason."""
        return self._software.frame(sets, packet)

    def choose(self, sets: bytes, packet: bytes, frame: Optional[VideoFrame]) -> None:
        """Tries decoders in hardware with the first I-picture; `frame` is it in software.

        Raises DeviceError where one that was asked for by name is not here.
        """
        try:
            self._choose(sets, packet, frame)
        except NotRewritten as error:
            self.note = f"{_NOT_REWRITTEN}: {error}"

    def _choose(self, sets: bytes, packet: bytes, frame: Optional[VideoFrame]) -> None:
        if not self._untried:
            return
        reasons = self._try(sets, packet, _exact(frame))
        self._untried = []
        if self._closed:
            return
        if self._decoder is not None and frame is not None:
            self._tell(sets, frame)
            return
        self.note = "; ".join(f"{name}: {error}" for name, error in reasons.items())
        if not all(isinstance(error, DeviceError) for error in reasons.values()):
            self._summary.fall_back(self.note)
        elif self._asked != "auto":
            raise DeviceError(f"decoder {self._asked!r}: {self.note}; use 'auto' (--decoder auto)")

    def _try(self, sets: bytes, packet: bytes, true: CodedPlanes) -> Dict[str, EdgecvarError]:
        """Takes the first that gives the picture `true`; why others did not. Raises NotRewritten."""
        reasons: Dict[str, EdgecvarError] = {}
        writer: IdrWriter = self._core.IdrWriter(self._codec, self._extradata)
        for each in self._untried:
            if self._closed:
                break
            self._decoder = decoder = HardwareDecoder(each.name, each.begin, self._core, writer)
            try:
                difference = _compared(decoder, sets, packet, true, _BEGIN_SECONDS)
            except BaseException as error:
                self._leave()
                if isinstance(error, NotRewritten) or not isinstance(error, (StreamError, DeviceError)):
                    raise
                reasons[each.name] = error
                continue
            self.name = each.name
            before = [f"{name}: {error}" for name, error in reasons.items()]
            self.note = "; ".join([f"differs by {difference:.3g} from software, on average", *before])
            self._summary.decoder = f"{self.name}, {self.note}"
            break
        return reasons

    def shown(self, sets: bytes, packet: bytes, geometry: Geometry, frame: Optional[VideoFrame] = None) -> ShownPlanes:
        """The displayed rectangle of an I-picture, `frame` where it is decoded in software already.

        Raises StreamError where software cannot decode it either.
        """
        with self._lock:
            decoder = self._decoder
            if decoder is not None and frame is None and sets == self._sets:
                planes = self._in_hardware(decoder, sets, packet, geometry)
                if planes is not None:
                    return planes.shown(geometry, self._matrix, self._full)
            frame = self._software.frame(sets, packet) if frame is None else frame
            try:
                if self._untried and not self._closed:
                    self._choose(sets, packet, frame)
                elif decoder is not None and sets != self._sets:
                    self._compare(decoder, sets, packet, frame)
            except NotRewritten as error:
                self._summary.fall_back(f"{_NOT_REWRITTEN}: {error}")
        if (frame.width, frame.height) != (geometry.coded_width, geometry.coded_height):
            raise StreamError(f"it is decoded as {frame.width}x{frame.height}")
        return planes_of(frame, geometry)

    def close(self) -> None:
        """Lets go of the device, also while another thread waits for it; later pictures are decoded in software."""
        self._closed = True
        self._leave()

    def _leave(self) -> None:
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            decoder.close()

    def _tell(self, sets: bytes, frame: VideoFrame) -> None:
        shown = planes_of(frame, Geometry(frame.width, frame.height, 0, 0, frame.width, frame.height))
        self._sets, self._matrix, self._full = sets, shown.matrix, shown.full

    def _compare(self, decoder: ImageDecoder, sets: bytes, packet: bytes, frame: VideoFrame) -> None:
        """By parameter sets that are new, for what they say of colours; falls back where the decoder gives another.

        Raises NotRewritten.
        """
        try:
            _compared(decoder, sets, packet, _exact(frame), _PICTURE_SECONDS)
            self._tell(sets, frame)
        except NotRewritten:
            raise
        except (StreamError, DeviceError) as error:
            self._fall_back(f"{decoder.name}: {error}")

    def _in_hardware(
        self, decoder: ImageDecoder, sets: bytes, packet: bytes, geometry: Geometry
    ) -> Optional[CodedPlanes]:
        """None where software is to decode it: for a picture that is not rewritten, or from now on."""
        try:
            planes = decoder.planes(sets, packet, _PICTURE_SECONDS)
            if planes.size == (geometry.coded_width, geometry.coded_height):
                return planes
            self._fall_back(f"{decoder.name}: it gives another size than the stream's")
        except NotRewritten as error:
            self._summary.fall_back(f"{_NOT_REWRITTEN}: {error}")
        except (StreamError, DeviceError) as error:
            self._fall_back(f"{decoder.name}: {error}")
        return None

    def _fall_back(self, why: str) -> None:
        """Software for good."""
        if self._closed:
            return
        self._leave()
        self.name, self.note = SOFTWARE, why
        self._summary.fall_back(why)


def _compared(decoder: ImageDecoder, sets: bytes, packet: bytes, true: CodedPlanes, seconds: float) -> float:
    difference = decoder.planes(sets, packet, seconds).difference(true)
    if difference > MOST_DIFFERENCE:
        raise StreamError(f"differs by {difference:.3g} from software, on average")
    return difference


def _exact(frame: Optional[VideoFrame]) -> CodedPlanes:
    """The samples of a frame in software; raises NotRewritten where there are none, or others than 8-bit 4:2:0."""
    if frame is None:
        raise NotRewritten("software cannot decode its first I-picture")
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        raise NotRewritten(f"samples of the form {frame.format.name}")
    return CodedPlanes(*coded_planes(frame, Geometry(frame.width, frame.height, 0, 0, frame.width, frame.height)))
