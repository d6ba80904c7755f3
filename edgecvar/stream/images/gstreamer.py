"""I-pictures through an element of GStreamer: those of a Jetson, of desktop GPUs, of small boards, and FFmpeg's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

import numpy as np

from edgecvar.errors import DeviceError, StreamError
from edgecvar.stream.images import gst
from edgecvar.stream.images.decoder import CodedPlanes, Samples, packed_nv12

_LINK = (
    "appsrc name=source is-live=true format=time caps={caps},stream-format=byte-stream,alignment=au ! {parser} ! "
    "{chain} ! video/x-raw,format=(string){{ I420, NV12 }} ! appsink name=sink sync=false max-buffers=4"
)
_CODINGS: Dict[str, Tuple[str, str]] = {
    "h264": ("video/x-h264", "h264parse"),
    "hevc": ("video/x-h265", "h265parse"),
}
"""Caps and parser by codec."""
_PROPERTIES: Dict[str, str] = {
    "enable-max-performance": "true",
    "disable-dpb": "true",  # for streams of one reference frame, as the rewritten ones are
    "low-latency-mode": "true",
    "max-threads": "1",  # FFmpeg's threads would each keep a picture back
}
"""Set on those that have them: which those are depends on how an element was built."""


@dataclass(frozen=True)
class Element:
    """A decoder of GStreamer of one codec, and what brings its pictures into system memory where that is an element.

    `nodes` are patterns of device files, one of which is there where the element may work; none of a software decoder.
    """

    name: str
    nodes: Tuple[str, ...] = ()
    after: str = ""
    codec: str = "h264"

    def begin(self) -> GStreamerDevice:
        """Raises DeviceError where it is not here, or does not start."""
        missing = gst.missing_elements([name for name in (_CODINGS[self.codec][1], self.name, self.after) if name])
        if missing:
            raise DeviceError(f"GStreamer has no {', no '.join(missing)} here")
        return GStreamerDevice(self)


_JETSON = ("/dev/nvmap", "/dev/nvhost-*", "/dev/v4l2-nvdec*", "/dev/nvidia[0-9]*")
_NVIDIA, _VA, _VIDEO = ("/dev/nvidia[0-9]*", "/dev/dxg"), ("/dev/dri/renderD*",), ("/dev/video*",)
HARDWARE: Dict[str, Tuple[Element, ...]] = {
    "h264": (
        Element("nvv4l2decoder", _JETSON, "nvvidconv"),
        Element("nvh264dec", _NVIDIA),
        Element("vah264dec", _VA),
        Element("v4l2h264dec", _VIDEO),
    ),
    "hevc": (
        Element("nvv4l2decoder", _JETSON, "nvvidconv", "hevc"),
        Element("nvh265dec", _NVIDIA, codec="hevc"),
        Element("vah265dec", _VA, codec="hevc"),
        Element("v4l2slh265dec", _VIDEO, codec="hevc"),
        Element("v4l2h265dec", _VIDEO, codec="hevc"),
    ),
}
"""By codec, in the order in which they are tried."""
SOFTWARE: Dict[str, Element] = {"h264": Element("avdec_h264"), "hevc": Element("avdec_h265", codec="hevc")}


class GStreamerDevice:
    """A pipeline around one element; raises DeviceError where it does not start."""

    def __init__(self, element: Element) -> None:
        caps, parser = _CODINGS[element.codec]
        chain = f"{element.name} name=decoder" + (f" ! {element.after}" if element.after else "")
        self._pipeline = gst.Pipeline(_LINK.format(caps=caps, parser=parser, chain=chain), _PROPERTIES)

    def decode(self, unit: bytes, seconds: float) -> CodedPlanes:
        """Raises StreamError."""
        self._pipeline.push(unit)
        return planes_of(self._pipeline.pull(seconds))

    def close(self) -> None:
        self._pipeline.close()


def planes_of(picture: gst.RawPicture) -> CodedPlanes:
    """The planes of a picture, views where they are planes in it; raises StreamError for what is not 4:2:0 in whole."""
    if picture.form not in ("I420", "NV12"):
        raise StreamError(f"it gives samples of the form {picture.form or 'that it does not name'}")
    if picture.width % 2 or picture.height % 2:
        raise StreamError(f"it gives {picture.width}x{picture.height}, which is no coded size")
    rows, columns = picture.height // 2, picture.width // 2
    y = _plane(picture, 0, picture.height, picture.width)
    if picture.form == "NV12":
        return packed_nv12(y, _plane(picture, 1, rows, picture.width))
    return CodedPlanes(y, _plane(picture, 1, rows, columns), _plane(picture, 2, rows, columns))


def _plane(picture: gst.RawPicture, index: int, rows: int, columns: int) -> Samples:
    if index >= min(len(picture.offsets), len(picture.strides)) or rows < 1 or columns < 1:
        raise StreamError(f"its picture of {picture.width}x{picture.height} lacks a plane")
    offset, stride = picture.offsets[index], picture.strides[index]
    if stride < columns or offset + stride * (rows - 1) + columns > len(picture.data):
        raise StreamError(
            f"plane {index} of its picture of {picture.width}x{picture.height} does not fit into {len(picture.data)} "
            f"bytes (from {offset}, {stride} a row)"
        )
    samples = np.frombuffer(picture.data, np.uint8)
    return np.lib.stride_tricks.as_strided(samples[offset:], (rows, columns), (stride, 1), writeable=False)
