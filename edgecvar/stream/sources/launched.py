"""What GStreamer sends through the pipe of a process of its own: cameras of a Jetson, and SRT."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from typing import IO, List, Sequence

from edgecvar.errors import ConfigError
from edgecvar.stream.sources.camera import CameraSettings
from edgecvar.stream.sources.pipe import PipeSource

LAUNCH, INSPECT = "gst-launch-1.0", "gst-inspect-1.0"
ARGUS, ENCODER = "nvarguscamerasrc", "nvv4l2h264enc"
_MEMORY = "(memory:NVMM)"
_ENCODER_DEVICES = ("/dev/nvhost-msenc", "/dev/v4l2-nvenc")
"""One of which a Jetson with an encoder has; Orin Nano has the element alone."""
_FAREWELL = 1.0
"""Seconds that a pipeline gets to end by itself."""


class LaunchedPipe(PipeSource):
    """A pipeline's output; leaving it ends its process."""

    def __init__(self, name: str, pipeline: Sequence[str]) -> None:
        if shutil.which(LAUNCH) is None:
            raise ConfigError(f"{name}: {LAUNCH} is not installed; install GStreamer's tools (gstreamer1.0-tools)")
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [LAUNCH, "-q", *pipeline],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C is for who reads, who ends it then
        )
        assert self._process.stdout is not None
        super().__init__(self._process.stdout.fileno(), name)

    def complaint(self) -> str:
        """What GStreamer said of why it ended, on one line; empty where it said nothing."""
        with suppress(OSError, ValueError):
            said = os.pread(self._said.fileno(), 1 << 16, 0).decode("utf-8", "replace").splitlines()
            errors = [line for line in said if "ERROR" in line or line.startswith("WARNING: erroneous")] or said
            return " ".join(errors[0].split())[:200] if errors else ""
        return ""

    def leave(self) -> None:
        super().leave()
        with suppress(ProcessLookupError):
            self._process.terminate()

    def close(self) -> None:
        """Nobody reads any more, and the process has ended."""
        self.leave()
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()


def has_element(element: str) -> bool:
    """Whether GStreamer is installed, and has it."""
    if shutil.which(INSPECT) is None:
        return False
    return subprocess.run([INSPECT, "--exists", element], capture_output=True, timeout=30, check=False).returncode == 0


def encodes_in_hardware() -> bool:
    """Whether this is a Jetson that has an encoder."""
    return any(map(os.path.exists, _ENCODER_DEVICES)) and has_element(ENCODER)


def has_argus() -> bool:
    """Whether this is a Jetson whose CSI cameras can be asked for; whether there is one, opening it tells."""
    return has_element(ARGUS)


def csi_pipeline(sensor: int, settings: CameraSettings, hardware: bool) -> List[str]:
    """From a CSI camera to Matroska, which says times, lengths and the rate; not run on a device."""
    camera = [ARGUS, f"sensor-id={sensor}", "!", _caps(f"video/x-raw{_MEMORY}", settings, ",format=NV12")]
    if hardware:
        return [*camera, "!", *_hardware_encoder(settings), *_packaged()]
    return [*camera, "!", "nvvidconv", "!", "video/x-raw,format=I420", "!", *_software_encoder(settings), *_packaged()]


def usb_pipeline(device: str, motion_jpeg: bool, settings: CameraSettings) -> List[str]:
    """The same from a raw USB camera, encoded by the device; not run on one."""
    camera = ["v4l2src", f"device={device}", "!", _caps("image/jpeg" if motion_jpeg else "video/x-raw", settings)]
    decoded = ["!", "jpegdec"] if motion_jpeg else []
    moved = ["!", "nvvidconv", "!", f"video/x-raw{_MEMORY},format=NV12"]
    return [*camera, *decoded, *moved, "!", *_hardware_encoder(settings), *_packaged()]


def hevc_pipeline(device: str, settings: CameraSettings) -> List[str]:
    """The same from a USB camera that gives HEVC itself; not run with one."""
    return ["v4l2src", f"device={device}", "!", _caps("video/x-h265", settings), *_packaged("h265parse")]


def software_pipeline(camera: Sequence[str], settings: CameraSettings) -> List[str]:
    """The same from any element, encoded by x264."""
    return [
        *camera,
        "!",
        _caps("video/x-raw", settings, ",format=I420"),
        "!",
        *_software_encoder(settings),
        *_packaged(),
    ]


def srt_pipeline(uri: str) -> List[str]:
    """What comes over SRT, as it comes."""
    return ["srtsrc", f"uri={uri}", "!", "fdsink"]


def _software_encoder(settings: CameraSettings) -> List[str]:
    """x264 without delay."""
    gop = f"key-int-max={settings.gop}"
    return ["x264enc", "tune=zerolatency", "speed-preset=ultrafast", gop, f"bframes={settings.bframes}"]


def _hardware_encoder(settings: CameraSettings) -> List[str]:
    intervals = [f"idrinterval={settings.gop}", f"iframeinterval={settings.gop}"]
    return [ENCODER, "insert-sps-pps=1", *intervals, f"num-B-Frames={settings.bframes}", "maxperf-enable=1"]


def _packaged(parser: str = "h264parse") -> List[str]:
    return ["!", parser, "config-interval=-1", "!", "matroskamux", "streamable=true", "!", "fdsink"]


def _caps(kind: str, settings: CameraSettings, samples: str = "") -> str:
    width, height = settings.size
    rate = f"{settings.fps.numerator}/{settings.fps.denominator}"
    return f"{kind}{samples},width={width},height={height},framerate={rate}"
