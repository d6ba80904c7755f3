"""A video of the source with the best labels, their shares and the motion field drawn on every picture."""

from __future__ import annotations

import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any, Dict, Iterator, List, Optional, Tuple, cast

import av
import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import ConfigError, EdgecvarError, reason
from edgecvar.files import whole_file
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.sinks.caption import Caption, draw_caption
from edgecvar.sinks.drawing import Arrows
from edgecvar.sinks.sink import WithoutEvents
from edgecvar.stream.pixels import ShownPicture, decoded_pictures
from edgecvar.stream.sources.opening import TIMEOUT, is_source, read_once, source_name
from edgecvar.stream.types import CodedPicture, StreamInfo

TICKS = 90_000
"""Of the written video's clock, a second."""
SUFFIXES = (".mp4", ".mkv", ".mov")


class Overlay(WithoutEvents):
    """A sink that draws, and the watcher that brings it the motion fields.

    The source is decoded a second time for its pixels, and drawn as far as the decisions reach, each of which holds
    until the next one, or until the stream breaks. Pictures of another size than the first are scaled to that. Of a run
    that ended early the file holds what was read.
    """

    def __init__(self, source: str, target: Path, info: StreamInfo, note: str = "", timeout: float = TIMEOUT) -> None:
        self.target = target
        self._source = source
        self._info = info
        self._note = note
        self._timeout = timeout
        self._rate = _Rate()
        self._fields: Dict[int, NDArray[np.float16]] = {}
        self._parts: List[Tuple[int, Arrows]] = [(0, Arrows(info))]
        self._lock = Lock()
        self._newest: Optional[Decision] = None
        self._pictures: Iterator[ShownPicture] = iter(())
        self._drawn = 0
        self._newest_read = -1
        self._video: Optional[_VideoFile] = None
        self._finished = False

    def __enter__(self) -> Overlay:
        self._video = _VideoFile(self.target, self._info)
        self._pictures = decoded_pictures(self._source, self._info.extraction, self._timeout)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._video is not None:
            self._video.close(keep=self._finished or exc[0] in (None, KeyboardInterrupt))

    def picture(self, picture: CodedPicture, velocity: Optional[NDArray[np.float32]]) -> None:
        """Called in the reader thread."""
        with self._lock:
            if picture.opens is not None:
                self._parts.append((picture.display_index, Arrows(picture.opens.info)))
            arrows = self._parts[-1][1]
            self._newest_read = max(self._newest_read, picture.display_index)
        if velocity is not None:
            field = arrows.thin(velocity)
            with self._lock:
                self._fields[picture.display_index] = field

    def decision(self, decision: Decision) -> None:
        """Draw the pictures before that of the decision, which comes after all decisions on those."""
        self._draw_until(decision.display_index)
        self._newest = decision

    def finish(self, summary: RunSummary) -> None:
        """Draw what is left: of a run that ended early, as far as it was read."""
        self._draw_until(None if summary.complete else self._newest_read + 1)
        self._finished = True

    def _draw_until(self, end: Optional[int]) -> None:
        """Draw pictures below display index `end`, all of them if None."""
        while end is None or self._drawn < end:
            shown = next(self._pictures, None)
            if shown is None:
                return
            self._drawn = shown.display_index + 1
            self._draw(shown)

    def _draw(self, shown: ShownPicture) -> None:
        with self._lock:
            field = self._fields.pop(shown.display_index, None)
            while len(self._parts) > 1 and self._parts[1][0] <= shown.display_index:
                del self._parts[0]
            start, arrows = self._parts[0]
            rate = self._rate.at(shown.pts_seconds, self._newest_read + 1)
        image = np.ascontiguousarray(shown.image)
        arrows.draw(image, field)
        assert self._video is not None
        image = self._video.fitted(np.rot90(image, arrows.info.rotation // 90))
        top = () if self._newest is None or self._newest.display_index < start else self._newest.top
        draw_caption(image, Caption(top, shown.pts_seconds, rate, self._note))
        self._video.write(image, shown.pts_seconds)


class _Rate:
    """Pictures that a run reads in a second of wall time, from its start; it changes once a second of the stream."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._second = 0
        self._rate = 0.0

    def at(self, seconds: float, pictures: int) -> float:
        """After `pictures`, at a place in the stream; 0 in its first second."""
        if int(seconds) != self._second:
            self._second = int(seconds)
            self._rate = pictures / max(1e-9, time.monotonic() - self._begun)
        return self._rate


def check_overlay(source: str, target: Path) -> None:
    """Refuse what cannot be written before anything is read; raises ConfigError."""
    if read_once(source):
        what = "standard input" if source == "-" else source_name(source)
        raise ConfigError(f"--overlay reads its source twice, and {what} cannot be; save the stream to a file first")
    if target.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--overlay {target}: got suffix {target.suffix!r}, expected one of {', '.join(SUFFIXES)}")
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise ConfigError(f"--overlay {target}: not a file in an existing folder; make the folder first")
    if is_source(source, target):
        raise ConfigError(f"--overlay {target}: this is the source itself; choose another name")


class _VideoFile:
    """An H.264 file written under a draft name, which gets its own name when it is closed with pictures in it."""

    def __init__(self, target: Path, info: StreamInfo) -> None:
        self._target = target
        self._whole = whole_file(target)
        turned = info.rotation in (90, 270)
        width, height = (info.height, info.width) if turned else (info.width, info.height)
        # 4:2:0 wants even sides.
        self._height, self._width = max(2, height // 2 * 2), max(2, width // 2 * 2)
        self._first_pts: Optional[float] = None
        self._last_tick = -1
        try:
            self._container = av.open(str(self._whole.__enter__()), mode="w")
            self._stream = self._open_stream(info.fps)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._discard(error)
            raise self._refusal(error) from error

    def _open_stream(self, fps: Fraction) -> Any:
        rate = Fraction(fps).limit_denominator(1000) if fps > 0 else Fraction(25)
        stream: Any = self._container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = self._width, self._height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.options = {"preset": "veryfast", "crf": "21"}
        return stream

    def write(self, image: NDArray[np.uint8], pts_seconds: float) -> None:
        """Add one picture, as `fitted` gives it, to be shown at `pts_seconds`, later than the one before."""
        if self._first_pts is None:
            self._first_pts = pts_seconds
        tick = max(self._last_tick + 1, round((pts_seconds - self._first_pts) * TICKS))
        self._last_tick = tick
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = tick, Fraction(1, TICKS)
        self._encode(frame)

    def _encode(self, frame: Optional[av.VideoFrame]) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (av.error.FFmpegError, OSError) as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> EdgecvarError:
        return EdgecvarError(f"{self._target}: cannot be written ({reason(error)}); choose another file for --overlay")

    def fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture, uint8 RGB, in the size of the file, as large as that allows and in its middle.

        The even size may lack its last row or column, or repeat it where the picture is a pixel wide or high.
        """
        rows, columns = image.shape[:2]
        if not (rows - self._height in (-1, 0, 1) and columns - self._width in (-1, 0, 1)):
            part = min(self._height / rows, self._width / columns)
            size = max(1, round(rows * part)), max(1, round(columns * part))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            scaled = cast("NDArray[np.uint8]", frame.reformat(size[1], size[0], interpolation="AREA").to_ndarray())
            free = max(0, self._height - size[0]), max(0, self._width - size[1])
            margins = [(each // 2, each - each // 2) for each in free]
            image = np.pad(scaled, (*margins, (0, 0)))
        short = max(0, self._height - image.shape[0]), max(0, self._width - image.shape[1])
        padded = np.pad(image, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge")
        return np.ascontiguousarray(padded[: self._height, : self._width])

    def close(self, keep: bool) -> None:
        """Give the file its name, with what the encoder holds back, if it is to be kept and has pictures."""
        if not keep or self._first_pts is None:
            with suppress(av.error.FFmpegError, OSError):
                self._container.close()
            self._discard(EdgecvarError("not kept"))
            return
        try:
            self._encode(None)
            self._container.close()
            self._whole.__exit__(None, None, None)
        except (av.error.FFmpegError, OSError, EdgecvarError) as error:
            self._discard(error)
            raise error if isinstance(error, EdgecvarError) else self._refusal(error) from error

    def _discard(self, why: BaseException) -> None:
        with suppress(OSError):
            self._whole.__exit__(type(why), why, None)
