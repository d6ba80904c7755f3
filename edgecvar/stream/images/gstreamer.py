"""I-pictures through an element of GStreamer: those of a Jetson, of desktop GPUs, of small boards, and FFmpeg's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

import numpy as np

from edgecvar.errors import DeviceError, StreamError
from edgecvar.stream.images import gst
from edgecvar.stream.images.decoder import CodedPlanes, Samples, packed_nv12

_CAPS = "video/x-h264,stream-format=byte-stream,alignment=au"
_LINK = (
    f"appsrc name=source is-live=true format=time caps={_CAPS} ! h264parse ! {{chain}} ! "
    "video/x-raw,format=(string){{ I420, NV12 }} ! appsink name=sink sync=false max-buffers=4"
)
_PROPERTIES: Dict[str, str] = {
    "enable-max-performance": "true",
    "disable-dpb": "true",  # for streams of one reference frame, as the rewritten ones are
    "low-latency-mode": "true",
    "max-threads": "1",  # FFmpeg's threads would each keep a picture back
}
"""Set on those that have them: which those are depends on how an element was built."""
_PARSER = "h264parse"


@dataclass(frozen=True)
class Element:
    """A decoder of GStreamer, and what brings its pictures into system memory where that is an element of its own.

    `nodes` are patterns of device files, one of which is there where the element may work; none of a software decoder.
    """

    name: str
    nodes: Tuple[str, ...] = ()
    after: str = ""

    def begin(self) -> GStreamerDevice:
        """Raises DeviceError where it is not here, or does not start."""
        missing = gst.missing_elements([name for name in (_PARSER, self.name, self.after) if name])
        if missing:
            raise DeviceError(f"GStreamer has no {', no '.join(missing)} here")
        return GStreamerDevice(self)


HARDWARE = (
    Element("nvv4l2decoder", ("/dev/nvmap", "/dev/nvhost-*", "/dev/v4l2-nvdec*", "/dev/nvidia[0-9]*"), "nvvidconv"),
    Element("nvh264dec", ("/dev/nvidia[0-9]*", "/dev/dxg")),
    Element("vah264dec", ("/dev/dri/renderD*",)),
    Element("v4l2h264dec", ("/dev/video*",)),
)
"""In the order in which they are tried."""
SOFTWARE = Element("avdec_h264")


class GStreamerDevice:
    """A pipeline around one element; raises DeviceError where it does not start."""

    def __init__(self, element: Element) -> None:
        chain = f"{element.name} name=decoder" + (f" ! {element.after}" if element.after else "")
        self._pipeline = gst.Pipeline(_LINK.format(chain=chain), _PROPERTIES)

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
