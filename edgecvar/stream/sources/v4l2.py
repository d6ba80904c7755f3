"""Cameras that the kernel knows as /dev/video*: what they offer, and their pictures."""

from __future__ import annotations

import fcntl
import glob
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from threading import Event
from typing import Iterator, List, Tuple

from av.video.frame import VideoFrame

from edgecvar.stream.sources.camera import CameraSettings
from edgecvar.stream.sources.demuxing import open_container
from edgecvar.stream.sources.encoded import Pictures

_QUERY, _ENUMERATE = 0x80685600, 0xC0405602
"""VIDIOC_QUERYCAP and VIDIOC_ENUM_FMT (linux/videodev2.h)."""
_CAPTURE, _HAS_DEVICE_CAPABILITIES = 1, 1 << 31
_MOST_FORMATS = 64
DEMUXER = "v4l2"


@dataclass(frozen=True)
class AttachedCamera:
    """A camera of the kernel's: its `path`, its name, and its formats by their four characters ("H264", "MJPG")."""

    path: str
    card: str
    formats: Tuple[str, ...]

    @property
    def compressed(self) -> bool:
        """Whether it gives H.264 itself."""
        return "H264" in self.formats

    @property
    def gives_hevc(self) -> bool:
        """Whether it gives HEVC itself, and no H.264."""
        return "HEVC" in self.formats and not self.compressed


def attached_cameras() -> List[AttachedCamera]:
    """Those that are there and take pictures."""
    cameras = []
    for path in sorted(glob.glob("/dev/video*")):
        with suppress(OSError):
            camera = attached_camera(path)
            if camera.formats:
                cameras.append(camera)
    return cameras


def attached_camera(path: str) -> AttachedCamera:
    """What a device offers, without formats where it takes no pictures; raises OSError."""
    device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        # struct v4l2_capability: driver, card, bus, version, capabilities, those of this device, reserved
        answer = fcntl.ioctl(device, _QUERY, bytes(104))
        card = answer[16:48].split(b"\0")[0].decode("utf-8", "replace")
        whole, own = struct.unpack_from("=2I", answer, 84)
        takes = (own if whole & _HAS_DEVICE_CAPABILITIES else whole) & _CAPTURE
        return AttachedCamera(path, card, tuple(_formats(device)) if takes else ())
    finally:
        os.close(device)


def _formats(device: int) -> Iterator[str]:
    for index in range(_MOST_FORMATS):
        try:
            # struct v4l2_fmtdesc: index, type, flags, description, four characters, reserved
            answer = fcntl.ioctl(device, _ENUMERATE, struct.pack("=2I", index, _CAPTURE) + bytes(56))
        except OSError:  # there is none of that index
            return
        yield answer[44:48].decode("ascii", "replace").strip()


def raw_pictures(camera: AttachedCamera, settings: CameraSettings, timeout: float) -> Pictures:
    """Its pictures, from motion JPEG where it has that: more a second than raw ones through USB."""

    def pictures(left: Event) -> Iterator[VideoFrame]:
        width, height = settings.size
        asked = {"video_size": f"{width}x{height}", "framerate": str(settings.fps)}
        if "MJPG" in camera.formats:
            asked["input_format"] = "mjpeg"
        with open_container(camera.path, camera.path, timeout, DEMUXER, asked) as container:
            first = None
            for number, frame in enumerate(container.decode(video=0)):
                if left.is_set():
                    return
                seconds = frame.time if frame.time is not None else number / float(settings.fps)
                first = seconds if first is None else first
                frame.pts, frame.time_base = round((seconds - first) * 90_000), Fraction(1, 90_000)
                yield frame

    return pictures
