"""Where a URI leads: to a server, an attached camera, or a pattern that is made here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Dict, Optional
from urllib.parse import urlsplit

from edgecvar.errors import ConfigError, StreamError, reason, unknown_name
from edgecvar.stream.sources.attempt import Attempt
from edgecvar.stream.sources.camera import camera_place, camera_settings
from edgecvar.stream.sources.demuxing import open_container
from edgecvar.stream.sources.detached import DetachedInput
from edgecvar.stream.sources.encoded import CONTAINER, STATED_RATE, EncodedCamera
from edgecvar.stream.sources.launched import (
    ARGUS,
    LAUNCH,
    LaunchedPipe,
    csi_pipeline,
    encodes_in_hardware,
    has_argus,
    has_element,
    hevc_pipeline,
    srt_pipeline,
    usb_pipeline,
)
from edgecvar.stream.sources.passwords import scheme_of as scheme_of
from edgecvar.stream.sources.passwords import with_credentials, without_password
from edgecvar.stream.sources.pattern import moving_pattern
from edgecvar.stream.sources.v4l2 import DEMUXER, attached_camera, raw_pictures

if TYPE_CHECKING:
    from av.container import InputContainer

PUSHED = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "srt", "v4l2", "csi", "test")
"""Schemes of what comes at its own rate, whether anybody is ready for it or not."""
OF_HOSTS = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "tcp", "tls", "ftp", "sftp")
"""Schemes that are nothing without a host."""
SCHEMES = tuple(dict.fromkeys((*PUSHED, *OF_HOSTS, "file", "unix", "mms", "mmsh")))
NOT_RUN = "not run on a device by us"
_OPTIONS: Dict[str, Dict[str, str]] = {
    # By TCP, and by UDP where the server takes no TCP.
    "rtsp": {"rtsp_flags": "prefer_tcp"},
    "rtsps": {"rtsp_flags": "prefer_tcp"},
}


def check_address(uri: str, name: str) -> None:
    """Raises ConfigError for what leads nowhere, however long it is waited for."""
    scheme = scheme_of(uri)
    if scheme and scheme not in SCHEMES:
        raise unknown_name("scheme", scheme, SCHEMES, f" of {name}")
    if scheme in OF_HOSTS and not urlsplit(uri).hostname:
        raise ConfigError(f"{name}: it names no host; for example {scheme}://192.168.1.20/stream1")


def is_pushed(source: object) -> bool:
    """Whether what a URI leads to comes at its own rate."""
    return scheme_of(source) in PUSHED


def is_live(source: object) -> bool:
    """Whether it is a camera or the like, which comes and goes and has no end of its own."""
    hls = scheme_of(source) in ("http", "https") and re.split("[?#]", str(source))[0].lower().endswith(".m3u8")
    return hls or is_pushed(source)


def open_address(uri: str, name: str, timeout: float, attempt: Optional[Attempt] = None) -> DetachedInput:
    """The input of a URI, which `name` stands for in errors; raises StreamError, ConfigError for what it asks for."""
    attempt = attempt or Attempt(name)
    scheme = scheme_of(uri)
    check_address(uri, name)
    if scheme == "test":
        settings = camera_settings(uri, size="640x360", fps=15, gop=30)
        _refuse_place(uri, name)
        attempt.note = f"a pattern, encoded here by libx264 with a GOP of {settings.gop}"
        return _of_camera(EncodedCamera(name, moving_pattern(settings), settings), timeout, attempt)
    if scheme == "v4l2":
        return _open_v4l2(uri, name, timeout, attempt)
    if scheme == "csi":
        return _open_csi(uri, name, timeout, attempt)
    if scheme == "srt" and has_element("srtsrc"):
        return _of_pipeline(LaunchedPipe(name, srt_pipeline(uri)), timeout, attempt)
    target, options = with_credentials(uri), _OPTIONS.get(scheme, {})
    return DetachedInput(name, lambda: _connected(target, name, timeout, options), timeout, attempt=attempt)


def _connected(target: str, name: str, timeout: float, options: Dict[str, str]) -> InputContainer:
    return open_container(target, name, timeout, options=options)


def _open_v4l2(uri: str, name: str, timeout: float, attempt: Attempt) -> DetachedInput:
    path, settings = camera_place(uri), camera_settings(uri)
    try:
        camera = attached_camera(path)
    except OSError as error:
        why = reason(error)
        raise StreamError(
            f"{name}: no camera that can be opened ({why}); `edgecvar sources` lists those that are there"
        ) from error
    if not camera.formats:
        raise StreamError(f"{name}: {camera.card} takes no pictures; `edgecvar sources` lists what does")
    if camera.compressed:
        width, height = settings.size
        asked = {"input_format": "h264", "video_size": f"{width}x{height}", "framerate": str(settings.fps)}
        return DetachedInput(
            name, lambda: open_container(path, name, timeout, DEMUXER, asked), timeout, attempt=attempt
        )
    if camera.gives_hevc and has_element("v4l2src"):  # FFmpeg's own reader of such cameras has no HEVC
        attempt.note = f"the camera's own HEVC, through GStreamer; {NOT_RUN}"
        return _of_pipeline(LaunchedPipe(name, hevc_pipeline(path, settings)), timeout, attempt)
    if encodes_in_hardware():
        attempt.note = f"a raw camera, encoded by the device with a GOP of {settings.gop}; {NOT_RUN}"
        pipeline = usb_pipeline(path, "MJPG" in camera.formats, settings)
        return _of_pipeline(LaunchedPipe(name, pipeline), timeout, attempt)
    attempt.note = f"a raw camera, encoded here by libx264 with a GOP of {settings.gop}"
    return _of_camera(EncodedCamera(name, raw_pictures(camera, settings, timeout), settings), timeout, attempt)


def _open_csi(uri: str, name: str, timeout: float, attempt: Attempt) -> DetachedInput:
    sensor, settings = camera_place(uri), camera_settings(uri, size="1280x720")
    if not sensor.isdecimal():
        raise ConfigError(f"{name}: {sensor!r} is no number of a camera; the first is csi://0")
    if not has_argus():
        raise ConfigError(f"{name}: CSI cameras are read on a Jetson; GStreamer has no {ARGUS} here")
    hardware = encodes_in_hardware()
    by = "the device's encoder" if hardware else "x264enc, as there is no encoder"
    attempt.note = f"a raw camera, encoded here by {by} with a GOP of {settings.gop}; {NOT_RUN}"
    return _of_pipeline(LaunchedPipe(name, csi_pipeline(int(sensor), settings, hardware)), timeout, attempt)


def _of_camera(camera: EncodedCamera, timeout: float, attempt: Attempt) -> DetachedInput:
    opening: Any = lambda: open_container(camera, camera.name, None, CONTAINER, STATED_RATE)  # noqa: E731
    return DetachedInput(camera.name, opening, timeout, camera, attempt)


def _of_pipeline(pipe: LaunchedPipe, timeout: float, attempt: Attempt) -> DetachedInput:
    def opening() -> InputContainer:
        try:
            return open_container(pipe, pipe.name)
        except StreamError as error:
            said = without_password(pipe.complaint())
            raise StreamError(f"{pipe.name}: {LAUNCH} says: {said}" if said else str(error)) from error

    return DetachedInput(pipe.name, opening, timeout, pipe, attempt)


def _refuse_place(uri: str, name: str) -> None:
    place = camera_place(uri)
    if place:
        raise ConfigError(f"{name}: {place!r} is no setting of the pattern; for example test://?size=640x360&fps=15")
