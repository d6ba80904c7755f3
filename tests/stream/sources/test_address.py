"""Where URIs lead, and what is asked of what they lead to."""

from __future__ import annotations

import shutil
import struct
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, List

import pytest

from edgecvar.errors import ConfigError, StreamError
from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources import address, launched, v4l2
from edgecvar.stream.sources.address import is_live, is_pushed, scheme_of, with_credentials
from edgecvar.stream.sources.attempt import Attempt
from edgecvar.stream.sources.camera import CameraSettings, camera_settings
from edgecvar.stream.sources.launched import LaunchedPipe, csi_pipeline, software_pipeline
from edgecvar.stream.sources.opening import LiveSource


@pytest.mark.parametrize(
    "uri", ["rtsp://a/b", "RTSPS://a", "udp://1.2.3.4:5", "v4l2:///dev/video0", "csi://0", "test://"]
)
def test_what_comes_at_its_own_rate(uri: str) -> None:
    assert is_live(uri) and is_pushed(uri)


def test_what_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_live("https://host/live/index.m3u8?token=1") and not is_pushed("https://host/live/index.m3u8")
    for source in ("http://host/clip.mp4", "tcp://host:1", "file:///a.mp4", "a.mp4", "-", Path("a.mp4"), object()):
        assert not is_live(source)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rtsp:" / "a").mkdir(parents=True)
    assert scheme_of("rtsp://a") == ""  # a path that is there


@pytest.mark.parametrize(
    "uri, asked",
    [
        ("rtsp://camera:554/a?b=c", "rtsp://me:p%40%2F%3A@camera:554/a?b=c"),
        ("https://camera/a.m3u8", "https://me:p%40%2F%3A@camera/a.m3u8"),
        ("rtsp://you:your@camera/a", "rtsp://you:your@camera/a"),
        ("udp://camera:1", "udp://camera:1"),
    ],
)
def test_credentials_of_the_environment(monkeypatch: pytest.MonkeyPatch, uri: str, asked: str) -> None:
    assert with_credentials(uri) == uri
    monkeypatch.setenv("EDGECVAR_USER", "me")
    monkeypatch.setenv("EDGECVAR_PASSWORD", "p@/:")
    assert with_credentials(uri) == asked


def test_settings_of_a_camera() -> None:
    settings = camera_settings("test://?size=1280x720&fps=30000/1001&gop=60&bframes=2")
    assert settings == CameraSettings(size=(1280, 720), fps=Fraction(30000, 1001), gop=60, bframes=2)


@pytest.mark.parametrize(
    "query", ["siz=1x1", "size=33x32", "size=big", "gop=0", "fps=0", "fps=x", "fps=1/0", "bframes=9"]
)
def test_settings_that_are_none_are_refused_in_a_line(query: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_stream(f"test://?{query}")
    assert query.split("=")[0] in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("bframes, kinds", [(0, "IPPPP" * 3), (2, "IPBBPIPBBPIPBBP")])
def test_the_pattern_is_encoded_as_it_was_asked_for(bframes: int, kinds: str) -> None:
    attempt = Attempt("it")
    uri = f"test://?size=96x64&fps=240&gop=5&bframes={bframes}"
    with open_stream(LiveSource(uri, attempt), timeout=20) as stream:
        pictures = list(islice(stream, 15))
    assert (stream.info.width, stream.info.height, stream.info.fps) == (96, 64, 240)
    assert "".join(picture.kind for picture in pictures) == kinds
    assert "GOP of 5" in attempt.note and "libx264" in attempt.note
    times = sorted(picture.pts_seconds for picture in pictures)
    assert times[-1] == pytest.approx(14 / 240, abs=1.0)
    if not bframes:
        across = pictures[1].motion.mv_qpel[0, ..., 0]  # type: ignore[union-attr]
        assert ((across < 0) & (across % 4 == 0)).mean() > 0.5  # a pixel to the right a picture, or left out ones


def test_a_place_that_is_none() -> None:
    for uri, said in (("test://here", "no setting of the pattern"), ("csi://left", "no number of a camera")):
        with pytest.raises(ConfigError, match=said):
            open_stream(uri)
    with pytest.raises(StreamError, match="v4l2:///dev/null: no camera that can be opened"):
        open_stream("v4l2:///dev/null")


def test_what_a_jetson_is_asked_for() -> None:
    """Not run on a device: the words are those of NVIDIA's documents."""
    settings = CameraSettings(size=(1280, 720), gop=12)
    words = " ".join(csi_pipeline(1, settings, hardware=True))
    assert words.startswith("nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),format=NV12,width=1280,height=720")
    encoder = (
        "nvv4l2h264enc insert-sps-pps=1 idrinterval=12 iframeinterval=12 num-B-Frames=0 maxperf-enable=1 ! h264parse"
    )
    assert encoder in words
    assert "nvvidconv ! video/x-raw,format=I420 ! x264enc tune=zerolatency" in " ".join(
        csi_pipeline(0, settings, False)
    )


@pytest.mark.parametrize(
    "jpeg, middle", [(True, "image/jpeg,width=640,height=480,framerate=30/1 ! jpegdec"), (False, "raw")]
)
def test_a_raw_usb_camera_is_encoded_by_a_device_that_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jpeg: bool, middle: str
) -> None:
    device = tmp_path / "video0"
    device.write_bytes(b"")
    words: List[str] = []

    def pipe(name: str, pipeline: List[str]) -> Any:
        words.append(" ".join(pipeline))
        raise StreamError(f"{name}: enough")

    monkeypatch.setattr(address, "LaunchedPipe", pipe)
    monkeypatch.setattr(address, "encodes_in_hardware", lambda: True)
    monkeypatch.setattr(v4l2.fcntl, "ioctl", Kernel(b"YUYV", *([b"MJPG"] if jpeg else [])))
    attempt = Attempt("camera")
    with pytest.raises(StreamError, match="enough"):
        open_stream(LiveSource(f"v4l2://{device}?gop=9", attempt))
    assert words[0].startswith(f"v4l2src device={device} ! ") and middle in words[0]
    assert "nvv4l2h264enc insert-sps-pps=1 idrinterval=9" in words[0] and "GOP of 9" in attempt.note


def test_a_usb_camera_that_gives_hevc_is_read_through_gstreamer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """FFmpeg's own reader of such cameras has no HEVC; where there is no GStreamer it is read as a raw one."""
    device = tmp_path / "video0"
    device.write_bytes(b"")
    words: List[str] = []

    def pipe(name: str, pipeline: List[str]) -> Any:
        words.append(" ".join(pipeline))
        raise StreamError(f"{name}: enough")

    monkeypatch.setattr(address, "LaunchedPipe", pipe)
    monkeypatch.setattr(address, "encodes_in_hardware", lambda: True)
    for formats, there in (([b"MJPG", b"HEVC"], True), ([b"MJPG", b"HEVC"], False), ([b"MJPG"], True)):
        monkeypatch.setattr(address, "has_element", lambda element, there=there: there)
        monkeypatch.setattr(v4l2.fcntl, "ioctl", Kernel(*formats))
        with pytest.raises(StreamError, match="enough"):
            open_stream(LiveSource(f"v4l2://{device}", Attempt("camera")))
    own = "! video/x-h265,width=640,height=480,framerate=30/1 ! h265parse config-interval=-1 ! matroskamux"
    assert own in words[0] and "enc" not in words[0]
    assert all("nvv4l2h264enc" in each and "h265" not in each for each in words[1:])


def need_gstreamer() -> None:
    if shutil.which(launched.LAUNCH) is None or not launched.has_element("x264enc"):
        pytest.skip("no GStreamer with x264enc: apt install gstreamer1.0-tools gstreamer1.0-plugins-ugly")


def test_the_pipeline_of_a_csi_camera_with_another_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    need_gstreamer()
    pipes: List[LaunchedPipe] = []

    def pipe(name: str, pipeline: List[str]) -> LaunchedPipe:
        settings = CameraSettings(size=(320, 240), fps=Fraction(60), gop=12)
        pipes.append(LaunchedPipe(name, software_pipeline(["videotestsrc", "is-live=true"], settings)))
        return pipes[-1]

    monkeypatch.setattr(address, "LaunchedPipe", pipe)
    monkeypatch.setattr(address, "has_argus", lambda: True)
    attempt = Attempt("csi://0")
    with open_stream(LiveSource("csi://0", attempt), timeout=20) as stream:
        pictures = list(islice(stream, 40))
    assert "GOP of 12" in attempt.note and "not run on a device" in attempt.note
    assert "".join(picture.kind for picture in pictures).startswith("I" + "P" * 11 + "I")
    assert pipes[0]._process.wait(10) is not None  # its process has ended


def test_what_gstreamer_says_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    need_gstreamer()
    if launched.has_element(launched.ARGUS):
        pytest.skip("this is a Jetson")
    monkeypatch.setattr(address, "has_argus", lambda: True)
    with pytest.raises(StreamError, match=r"csi://0: gst-launch-1\.0 says: .*nvarguscamerasrc"):
        open_stream("csi://0", timeout=20)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("rtpx://camera/live", r"unknown scheme 'rtpx' .*did you mean 'rtp'\?"),
        ("rtsp://", "it names no host"),
        ("http:///live.m3u8", "it names no host"),
    ],
)
def test_what_leads_nowhere_is_not_waited_for(uri: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_stream(uri)


def test_a_csi_camera_is_not_waited_for_where_there_can_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "has_argus", lambda: False)
    with pytest.raises(ConfigError, match="CSI cameras are read on a Jetson"):
        open_stream("csi://0")


class Kernel:
    """Answers ioctls as a camera with these formats does."""

    def __init__(self, *formats: bytes, capture: bool = True) -> None:
        self.formats, self.capture = formats, capture

    def __call__(self, device: int, request: int, given: bytes) -> bytes:
        if request == 0x80685600 and len(given) == 104:
            head = b"uvcvideo".ljust(16, b"\0") + b"A camera".ljust(32, b"\0") + bytes(32)
            return head + struct.pack("=3I", 0, 1 << 31 | 1, int(self.capture)) + bytes(12)
        index, kind = struct.unpack_from("=2I", given)
        assert (request, kind, len(given)) == (0xC0405602, 1, 64)
        if index >= len(self.formats):
            raise OSError(22, "Invalid argument")
        return struct.pack("=3I", index, 1, 0) + bytes(32) + self.formats[index] + bytes(16)


def test_the_kernels_cameras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.write_bytes(b"")
    monkeypatch.setattr(v4l2.fcntl, "ioctl", Kernel(b"YUYV", b"MJPG"))
    camera = v4l2.attached_camera(str(device))
    assert (camera.card, camera.formats, camera.compressed) == ("A camera", ("YUYV", "MJPG"), False)
    monkeypatch.setattr(v4l2.fcntl, "ioctl", Kernel(b"H264"))
    assert v4l2.attached_camera(str(device)).compressed
    monkeypatch.setattr(v4l2.fcntl, "ioctl", Kernel(b"GREY", capture=False))
    assert v4l2.attached_camera(str(device)).formats == ()
    with pytest.raises(StreamError, match="A camera takes no pictures"):
        open_stream(f"v4l2://{device}")


def test_a_raw_camera_is_encoded_and_one_with_h264_passes_through(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The kernel's camera is a file here, which FFmpeg opens as what it is."""
    from tests.moving_clip import moving_clip

    clip = moving_clip(tmp_path / "video0.mp4", pictures=30)
    asked: List[Any] = []
    real = v4l2.open_container

    def opened(target: str, name: str, timeout: float, demuxer: str, options: Any) -> Any:
        asked.append((target, demuxer, dict(options)))
        return real(target, name)

    monkeypatch.setattr(v4l2, "open_container", opened)
    monkeypatch.setattr(v4l2.fcntl, "ioctl", Kernel(b"YUYV", b"MJPG"))
    attempt = Attempt("camera")
    with open_stream(LiveSource(f"v4l2://{clip}?size=48x32&fps=25&gop=6", attempt), timeout=20) as stream:
        kinds = "".join(picture.kind for picture in stream)
    assert (stream.info.width, stream.info.height) == (48, 32) and kinds == "IPPPPP" * 5
    assert "raw camera, encoded here by libx264 with a GOP of 6" in attempt.note
    size = {"video_size": "48x32", "framerate": "25", "input_format": "mjpeg"}
    assert asked == [(str(clip), "v4l2", size)]
    monkeypatch.setattr(v4l2.fcntl, "ioctl", Kernel(b"YUYV", b"H264"))
    monkeypatch.setattr(address, "open_container", opened)
    attempt = Attempt("camera")
    with open_stream(LiveSource(f"v4l2://{clip}", attempt), timeout=20) as stream:
        assert len(list(stream)) == 30 and attempt.note == ""
    assert asked[1][2]["input_format"] == "h264"
