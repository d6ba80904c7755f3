"""How a variant of a clip is encoded: drawn, then done by FFmpeg's encoders, a picture at a time."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Dict, List, Optional, Tuple, Type

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.frame import PictureType
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from edgecvar.datasets.encoder import ENCODERS, X265_ALONE, Coding, countable, encoder, joined, mpeg4_quantiser
from edgecvar.errors import ConfigError
from edgecvar.train.augment.drawn import log_uniform
from edgecvar.train.augment.settings import Codec, Reencode

PRESETS = ("ultrafast", "veryfast", "faster")
"""Of x264 and x265: from one reference and large blocks, as small cameras encode, to several and small partitions."""
LEAST = 12
"""Pictures that leaving some out must leave."""


@dataclass(frozen=True)
class Shown:
    """What is known of a clip before it is encoded anew: its size as displayed, its rate, its pictures."""

    width: int
    height: int
    fps: Fraction
    pictures: int


@dataclass(frozen=True)
class Encoding:
    """One variant. Of the pictures every `every`-th is taken; the first GOP has `first_gop` pictures, then each `gop`.

    `fps`: pictures a second of what is taken. `crf`: on x264's scale, also where the codec has another.
    """

    codec: Codec
    crf: int
    gop: int
    first_gop: int
    b_pictures: int
    width: int
    height: int
    every: int
    fps: Fraction
    preset: str


def drawn_encoding(settings: Reencode, shown: Shown, rng: np.random.Generator) -> Encoding:
    """A variant of a clip, which the generator's state decides; it is never larger or faster than the clip."""
    codec = settings.codecs[int(rng.integers(len(settings.codecs)))]
    crf, b_pictures = (int(rng.integers(low, high + 1)) for low, high in (settings.crf, settings.b_pictures))
    gop = _whole(settings.gop, rng)
    first_gop = int(rng.integers(2, gop + 1))
    width, height = _size(shown, _whole(settings.short_side, rng))
    steps = _steps(settings.fps, shown)
    every = steps[int(rng.integers(len(steps)))]
    fps = countable(shown.fps / every)
    preset = PRESETS[int(rng.integers(len(PRESETS)))]
    return Encoding(codec, crf, gop, first_gop, b_pictures, width, height, every, fps, preset)


def _whole(bounds: Tuple[int, int], rng: np.random.Generator) -> int:
    """As likely to be twice as much as half as much."""
    low, high = bounds
    return min(max(round(log_uniform((low, high), rng)), low), high)


def _size(shown: Shown, short_side: int) -> Tuple[int, int]:
    """(width, height), both even."""
    scale = min(1.0, short_side / min(shown.width, shown.height))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (shown.width, shown.height))
    return width, height


def _steps(fps: Tuple[float, float], shown: Shown) -> List[int]:
    """Every how many pictures one may be taken, for a rate in the range; where none is, for the nearest there is."""
    slowest = max(1, min(int(shown.fps / Fraction(fps[0])), shown.pictures // LEAST))
    fastest = -int(-shown.fps // Fraction(fps[1]))
    return list(range(min(max(1, fastest), slowest), slowest + 1))


class Encoder:
    """Writes uint8 RGB pictures of any size to a file as an encoding says; the file is whole once it has been left.

    Raises ConfigError where PyAV lacks the codec, else what PyAV raises.
    """

    def __init__(self, path: Path, encoding: Encoding) -> None:
        self._path, self._encoding = path, encoding
        self._seen = self._written = 0
        self._scaler = VideoReformatter()

    def __enter__(self) -> Encoder:
        encoding = self._encoding
        size, gop = (encoding.width, encoding.height), (encoding.gop, encoding.b_pictures)
        with ExitStack() as stack:
            try:
                coding = Coding(encoding.codec, "mp4", *size, encoding.fps, *gop, _options(encoding))
                self._encode = stack.enter_context(encoder(self._path, coding))
            except UnknownCodecError as error:
                raise ConfigError(
                    f"augment.reencode.codecs: this PyAV has no {ENCODERS[encoding.codec]} encoder; install PyAV from "
                    f"its wheel, or leave {encoding.codec} out"
                ) from error
            self._close = stack.pop_all()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> Optional[bool]:
        return self._close.__exit__(kind, error, trace)

    def push(self, image: NDArray[np.uint8]) -> None:
        """The next picture of the clip, of which this takes some."""
        encoding, number = self._encoding, self._written
        self._seen += 1
        if (self._seen - 1) % encoding.every:
            return
        self._written += 1
        whole = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        size = encoding.width, encoding.height
        frame = self._scaler.reformat(whole, *size, "yuv420p", interpolation=Interpolation.AREA)
        frame.pts, frame.time_base = number, 1 / encoding.fps
        if number in (0, encoding.first_gop):
            frame.pict_type = PictureType.I
        self._encode(frame)


def _options(encoding: Encoding) -> Dict[str, str]:
    if encoding.codec == "h264":
        quality = {"crf": str(encoding.crf), "preset": encoding.preset, "forced-idr": "1"}
        # x264's macroblock tree reads memory that nothing set (AVX-512): other bytes from run to run.
        return {**quality, "x264-params": "threads=1:mbtree=0", "flags": "+bitexact"}
    if encoding.codec == "hevc":
        quality = {"crf": str(encoding.crf), "preset": encoding.preset, "forced-idr": "1"}
        settings = {"keyint": encoding.gop, "bframes": encoding.b_pictures, "open-gop": 0, "cutree": 0, **X265_ALONE}
        return {**quality, "x265-params": joined(settings), "flags": "+bitexact"}
    quantiser = str(mpeg4_quantiser(encoding.crf))
    return {"qmin": quantiser, "qmax": quantiser, "flags": "+bitexact"}
