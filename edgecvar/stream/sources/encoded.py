"""Raw pictures encoded as they come, for who reads the bytes of a container: any camera becomes a compressed one."""

from __future__ import annotations

import time
from fractions import Fraction
from threading import Event, Thread
from typing import Callable, Dict, Iterator

import av
from av.video.frame import VideoFrame

from edgecvar.errors import StreamError, reason
from edgecvar.stream.sources.camera import CameraSettings
from edgecvar.stream.sources.channel import Channel

CONTAINER = "nut"
"""Its packets say how long they are: whoever reads has a picture when it is written, not when the next one is."""
STATED_RATE = {"fpsprobesize": "0"}
"""What x264 writes of its rate is believed, so that nobody waits for pictures to count."""
_WRITES = 64
"""Writes of the muxer that a reader may be behind; while it is, raw pictures are left out, which nothing refers to."""

Pictures = Callable[[Event], Iterator[VideoFrame]]
"""The pictures of a camera, each with a `pts` in its `time_base`, until the event is set; raises StreamError."""


class EncodedCamera:
    """Bytes that are read while a thread of its own takes and encodes the pictures; `came` as `Arrivals` have it."""

    def __init__(self, name: str, pictures: Pictures, settings: CameraSettings) -> None:
        self.name = name
        self.came = time.monotonic()
        self._settings = settings
        self._pictures = pictures
        self._left = Event()
        self._written: Channel[bytes] = Channel(_WRITES)
        self._rest = b""
        self._thread = Thread(target=self._run, name="edgecvar-camera", daemon=True)
        self._thread.start()

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end, or once left."""
        content = self._rest or self._written.take() or b""
        self._rest = content[size:]
        self.came = time.monotonic()
        return content[:size]

    def write(self, content: bytes) -> int:
        """What the muxer does."""
        if self._written.put(bytes(content)):
            return len(content)
        raise BrokenPipeError

    def leave(self) -> None:
        self._left.set()
        self._written.close()

    def close(self) -> None:
        """Nobody reads any more; the camera is free when its thread ends."""
        self.leave()

    def _run(self) -> None:
        try:
            self._encode()
        except BrokenPipeError:  # nobody reads any more
            self._written.end()
        except (av.error.FFmpegError, ValueError, OSError) as error:
            self._written.end(
                StreamError(f"{self.name}: cannot be encoded ({reason(error)}); try another size or rate")
            )
        except BaseException as error:  # whatever it is belongs to whoever reads
            self._written.end(error)
        else:
            self._written.end()

    def _encode(self) -> None:
        settings = self._settings
        with av.open(self, "w", format=CONTAINER, options={"fflags": "+flush_packets"}) as container:
            stream = container.add_stream("libx264", rate=settings.fps, options=x264_options(settings))
            stream.width, stream.height = settings.size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, 90_000)
            for picture in self._pictures(self._left):
                for packet in stream.encode(_timed(picture, settings)):
                    container.mux(packet)
            for packet in stream.encode(None):
                container.mux(packet)


def x264_options(settings: CameraSettings) -> Dict[str, str]:
    """Without delay, but for B-pictures that were asked for; I-pictures by the GOP alone."""
    asked = {"keyint": settings.gop, "min-keyint": settings.gop, "scenecut": 0, "bframes": settings.bframes}
    parameters = ":".join(f"{key}={value}" for key, value in {**asked, "b-adapt": 0, "rc-lookahead": 0}.items())
    tune = {} if settings.bframes else {"tune": "zerolatency"}
    return {"preset": "ultrafast", "threads": "1", "x264-params": parameters, **tune}


def _timed(picture: VideoFrame, settings: CameraSettings) -> VideoFrame:
    whole = picture.reformat(*settings.size, format="yuv420p") if not _fits(picture, settings) else picture
    seconds = Fraction(picture.pts or 0) * Fraction(picture.time_base or 0)
    whole.pts, whole.time_base = round(seconds * 90_000), Fraction(1, 90_000)
    return whole


def _fits(picture: VideoFrame, settings: CameraSettings) -> bool:
    return (picture.width, picture.height) == settings.size and picture.format.name == "yuv420p"
