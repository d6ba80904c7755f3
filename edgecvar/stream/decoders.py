"""The one place that sets a decoder up: for an I-picture alone, for pictures as they are shown, for exported vectors.

Every one but that which is measured against decodes in the calling thread. With frame threads exported vectors differ
from run to run, and a packet that cannot be decoded takes other pictures with it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Dict, List, Optional, cast

import av

from edgecvar.errors import DeviceError, StreamError, reason
from edgecvar.stream.images.recovery import RecoveryRun
from edgecvar.stream.nal.composed import ComposedPacket

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

_WHOLE_MACROBLOCKS = {"apply_cropping": "0"}
_CODED_SAMPLES = {**_WHOLE_MACROBLOCKS, "skip_loop_filter": "nointra"}
"""I-pictures are filtered; of P and B pictures the samples are the prediction plus the residual."""
_INCOMPLETE = {"flags": "+output_corrupt", "flags2": "+showall"}
"""A picture that has no recovery point before it, or whose references are lost, is given out all the same."""
MOST_PIXELS = 4096 * 2304
"""Of a picture, MaxFS of level 5.2: a decoder keeps many, and a few damaged bytes must not ask for gigabytes."""
PROBING = {"max_pixels": str(MOST_PIXELS)}
"""For the decoder that a container looks at its first pictures with."""
_MOST_KEY_PIXELS = 8192 * 4352
"""As much as the native core reads, MaxLumaPs of HEVC's level 6.2: of I-pictures one is held at a time."""
_VECTORS = {"flags2": "+export_mvs"}


def decode(context: VideoCodecContext, packet: Optional[Packet[Any]]) -> List[VideoFrame]:
    """The frames that come out after a packet, with None at the end; raises StreamError with the decoder's reason."""
    if isinstance(packet, ComposedPacket):
        return [frame for part in packet.parts() for frame in decode(context, part)]
    try:
        return context.decode(packet)
    except (av.error.FFmpegError, ValueError) as error:
        raise StreamError(reason(error)) from error


class KeyDecoder:
    """One I-picture in, its frame out: none of the packets knows of the others. May be shared by threads.

    `context` is the container's, which nothing else may decode with.
    """

    def __init__(self, context: VideoCodecContext) -> None:
        self._context = _set_up(context, {**_CODED_SAMPLES, **_INCOMPLETE, "max_pixels": str(_MOST_KEY_PIXELS)})
        self._sets: Optional[bytes] = None
        self._lock = threading.Lock()

    def frame(self, sets: bytes, packet: bytes) -> VideoFrame:
        """The decoded frame of `packet`, read with the parameter sets `sets`; raises StreamError with the reason."""
        with self._lock:
            data = packet if sets == self._sets else sets + packet
            self._sets = None
            frames = self._drained(data)
            self._sets = sets
        if not frames:
            raise StreamError("the decoder gives no picture for it")
        return frames[0]

    def _drained(self, data: bytes) -> List[VideoFrame]:
        try:
            return [*decode(self._context, av.Packet(data)), *decode(self._context, None)]
        finally:
            if self._context.is_open:
                self._context.flush_buffers()


def cuda_context(codec: str) -> VideoCodecContext:
    """A decoder of that codec on an NVIDIA GPU, whose frames come back into system memory; raises DeviceError."""
    try:
        from av.codec.hwaccel import HWAccel
    except ImportError:
        raise DeviceError(f"PyAV {av.__version__} has no HWAccel; install 14.1 or newer") from None
    try:
        device = HWAccel(device_type="cuda", allow_software_fallback=False)
        return cast("VideoCodecContext", av.CodecContext.create(codec, "r", hwaccel=device))
    except (av.error.FFmpegError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise DeviceError(f"no CUDA device that PyAV can use ({reason(error)})") from error


def vector_decoder(context: VideoCodecContext) -> VideoCodecContext:
    """The container's decoder, for all pictures, their exported vectors and the samples that residuals are made of."""
    return _set_up(context, {**_CODED_SAMPLES, **_VECTORS})


def viewer(context: VideoCodecContext, incomplete: bool) -> VideoCodecContext:
    """The container's decoder, for pictures as they are shown; `incomplete`: those whose references are lost, too."""
    options = dict(_INCOMPLETE) if incomplete else {}
    # Otherwise what the left side is cropped by stays on the picture, up to a multiple of 32 bytes.
    options["flags"] = options.get("flags", "") + "+unaligned"
    return _set_up(context, options)


def still_decoder(codec: str) -> VideoCodecContext:
    """A decoder of its own for stills of a codec that come one a packet, such as JPEGs."""
    return _set_up(cast("VideoCodecContext", av.CodecContext.create(codec, "r")), {})


def plain_decoder(context: VideoCodecContext, vectors: bool) -> VideoCodecContext:
    """The container's decoder as PyAV has it, opened already; for what is measured beside it."""
    _set_up(context, _VECTORS if vectors else {}).open(strict=False)
    return context


def threaded_decoder(context: VideoCodecContext, threads: int) -> VideoCodecContext:
    """The container's decoder for all pictures as they are shown, as fast as frame threads make it; to be measured."""
    context.options = dict(PROBING)
    context.thread_type, context.thread_count = "AUTO", threads
    return context


def recovered_frame(like: VideoCodecContext, run: RecoveryRun) -> VideoFrame:
    """The frame of the last packet of a run; raises StreamError with the reason.

    Reference pictures alone are decoded, by a decoder of its own for the packets that `like` is made for.
    """
    options = {**_WHOLE_MACROBLOCKS, **_INCOMPLETE}
    if like.name == "h264":
        options.update(skip_frame="noref", strict="1")
    context = _set_up(_beside(like), options)
    newest: Optional[VideoFrame] = None
    if run.before is not None:
        with suppress(StreamError):  # what it refers to is not there
            decode(context, _numbered(run.sets + run.before, 0))
    for number, packet in enumerate([run.sets + run.packets[0], *run.packets[1:], None], 1):
        for frame in decode(context, None if packet is None else _numbered(packet, number)):
            newest = frame if newest is None or (frame.pts or 0) > (newest.pts or 0) else newest
    if newest is None or newest.pts != len(run.packets):
        raise StreamError("the decoder gives no picture for it")
    if getattr(newest, "is_corrupt", False):
        raise StreamError("the decoder finds it damaged")
    return newest


def _numbered(data: bytes, number: int) -> Packet[Any]:
    packet = av.Packet(data)
    packet.pts = packet.dts = number
    return packet


def viewer_beside(like: VideoCodecContext) -> VideoCodecContext:
    """A decoder of its own for the packets that `like` is made for: pictures as they are shown, macroblocks whole."""
    options = dict(_WHOLE_MACROBLOCKS)
    if like.name == "h264" and like.has_b_frames:
        # It would learn the stream's delay from pictures that it drops; by the standard it is known beforehand.
        options["strict"] = "1"
    return _set_up(_beside(like), options)


def _beside(like: VideoCodecContext) -> VideoCodecContext:
    context = cast("VideoCodecContext", av.CodecContext.create(like.name, "r"))
    context.extradata = like.extradata
    with suppress(UnicodeDecodeError):  # of a tag that is no text PyAV says nothing
        context.codec_tag = like.codec_tag  # MPEG-4 decoders know an encoder's faults by it
    if like.width and like.height:
        context.width, context.height = like.width, like.height
    for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
        setattr(context, name, getattr(like, name))
    return context


def _set_up(context: VideoCodecContext, options: Dict[str, str]) -> VideoCodecContext:
    context.options = {**PROBING, **options}
    context.thread_type, context.thread_count = "SLICE", 1
    return context
