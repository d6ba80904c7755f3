"""What a stream asks of whoever reads it: its pictures by kind, their bits, how much of them moves or is coded."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from edgecvar.clips.prepare import centre_view
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.predict.prediction import StreamShape
from edgecvar.stream.clock import Moment
from edgecvar.stream.container import OpenVideo
from edgecvar.stream.h264.parameter_sets import picture_set
from edgecvar.stream.nal.bits import HeaderEnded
from edgecvar.stream.nal.units import PICTURE_SET, configured_units, kind_of, length_size_of, payload, split_units
from edgecvar.stream.reader import Stream
from edgecvar.stream.types import CodedPicture, StreamInfo

MOST_PICTURES = 600
"""Of a file that are read."""
FIRST_LOOKS, LOOKS = 24, 7
"""Pictures from the first on, and one of so many after them, that are looked into: that asks for all of a residual."""
KINDS = "IPB"


@dataclass(frozen=True)
class StreamCounts:
    """Pictures of each kind, "I", "P" and "B", and the bits of their packets, all of them together.

    `width` and `height` as displayed. `moved`: share of the 4 x 4 blocks of P and B pictures that have a vector, in
    0..1; `intra`: of those that are coded intra; `coded`: share of their macroblocks that have a residual (of HEVC,
    which has none, of 16 x 16). `cabac`: how bins are coded, else by CAVLC. `codec`: "h264" or "hevc".
    """

    name: str
    width: int
    height: int
    fps: float
    pictures: Mapping[str, int]
    bits: Mapping[str, float]
    moved: float
    intra: float
    coded: float
    cabac: bool
    codec: str = "h264"

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or not self.fps > 0 or not self.pictures.get("I"):
            raise ValueError(f"{self.name}: {self.width} x {self.height} at {self.fps:g} pictures/s, {self.pictures}")

    @property
    def total(self) -> int:
        """All pictures."""
        return sum(self.pictures.values())

    @property
    def gop(self) -> float:
        """Pictures from one I-picture to the next, on the mean."""
        return self.total / self.pictures["I"]

    @property
    def macroblocks(self) -> int:
        """Of one picture."""
        return -(-self.width // 16) * -(-self.height // 16)

    @property
    def pixels(self) -> int:
        """Luma samples of one picture, as coded."""
        return 256 * self.macroblocks

    @property
    def megabits_per_second(self) -> float:
        return sum(self.bits.values()) / self.total * self.fps / 1e6

    def bits_each(self, kinds: str = KINDS) -> float:
        """Bits of one picture of these kinds, on the mean; 0 without any."""
        count = sum(self.pictures.get(kind, 0) for kind in kinds)
        return sum(self.bits.get(kind, 0.0) for kind in kinds) / count if count else 0.0

    def shown(self, spec: InputSpec) -> float:
        """The share of the picture that a network sees."""
        info = StreamInfo("h264", self.width, self.height, Fraction(25), Fraction(1, 25), False, "native", 0, 0)
        view = centre_view(info, spec)
        return view.height * view.width

    def shape(self, every: int) -> StreamShape:
        """The same as predictions state it."""
        return StreamShape(
            name=self.name,
            width=self.width,
            height=self.height,
            fps=self.fps,
            gop=self.gop,
            every=every,
            megabits_per_second=self.megabits_per_second,
        )


def _camera(name: str, width: int, height: int, megabits: float) -> StreamCounts:
    gop, share = 50, 10
    each = megabits * 1e6 * 2 / (gop - 1 + share)
    bits = {"I": share * each, "P": (gop - 1) * each}
    return StreamCounts(name, width, height, 25.0, {"I": 1, "P": gop - 1}, bits, 0.2, 0.02, 0.2, cabac=True)


CAMERAS: Dict[str, StreamCounts] = {
    each.name: each
    for each in (
        _camera("480p camera", 640, 480, 1.5),
        _camera("720p camera", 1280, 720, 2.0),
        _camera("1080p camera", 1920, 1080, 4.0),
    )
}
"""Streams of no camera in particular, at 25 pictures a second.

Bit rates: what is recommended for IP cameras in H.264 at 20 to 30 pictures a second
(https://www.unifore.net/ip-video-surveillance/simple-guide-of-ip-camera-bitrate-setting.html). Assumed: an I-picture
every two seconds with the bits of ten P-pictures, no B-pictures, and a fifth of the picture that moves and is coded.
"""


@dataclass
class _Sizes:
    """A tap that keeps the bits of every packet."""

    bits: List[int] = field(default_factory=list)
    sets: bytes = b""
    length_size: Any = None
    cabac: bool = False
    without_sets: bool = False

    def opened(self, video: OpenVideo) -> None:
        self.cabac = self.without_sets = video.codec == "hevc"  # which codes its bins in no other way
        if self.without_sets:
            return
        extradata = video.context.extradata or b""
        self.length_size = length_size_of(extradata)
        self._look(list(configured_units(extradata)))

    def packet(self, number: int, packet: Any) -> None:
        self.bits.append(8 * int(packet.size))
        if number == 0 and not self.without_sets:
            self._look(list(split_units(bytes(packet), self.length_size)))

    def shown(self, number: int, moment: Moment) -> None:
        """Nothing depends on it."""

    def broke(self, pts_seconds: float) -> None:
        """Counted as if it went on."""

    def _look(self, units: Sequence[bytes]) -> None:
        for unit in units:
            if kind_of(unit) == PICTURE_SET:
                try:
                    self.cabac = picture_set(payload(unit))[1].cabac
                except HeaderEnded:
                    continue


def counts_of(path: Path, most: int = MOST_PICTURES) -> StreamCounts:
    """Reads the first pictures of a file once, at most so many.

    Raises StreamError where the native core does not read it, or there is no I-picture.
    """
    sizes = _Sizes()
    pictures: Dict[str, int] = dict.fromkeys(KINDS, 0)
    bits: Dict[str, float] = dict.fromkeys(KINDS, 0.0)
    looks: List[Sequence[float]] = []
    with Stream(path, threads=1, on_demand=True, tap=sizes) as stream:
        if stream.info.extraction != "native":
            raise StreamError(
                f"{path}: what the native core does not read cannot be counted, and it reads H.264 and HEVC, 4:2:0, "
                f"not interlaced; re-encode it to H.264 (ffmpeg -i INPUT -c:v libx264 -pix_fmt yuv420p OUTPUT.mp4)"
            )
        for number, picture in enumerate(stream):
            pictures[picture.kind] += 1
            bits[picture.kind] += sizes.bits[min(number, len(sizes.bits) - 1)]
            if picture.kind != "I" and (number < FIRST_LOOKS or number % LOOKS == 0):
                looks.append(_shares(picture))
            if number + 1 == most:
                break
        info = stream.info
    if not pictures["I"]:
        raise StreamError(f"{path}: none of its first {most} pictures is an I-picture; give a stream with some")
    moved, intra, coded = np.mean(looks, axis=0).tolist() if looks else (0.0, 0.0, 0.0)
    return StreamCounts(
        name=path.name,
        width=info.width,
        height=info.height,
        fps=float(info.fps),
        pictures=pictures,
        bits=bits,
        moved=moved,
        intra=intra,
        coded=coded,
        cabac=sizes.cabac,
        codec=info.codec,
    )


def _shares(picture: CodedPicture) -> Sequence[float]:
    """Of 4 x 4 blocks those that have a vector and those that are intra, of macroblocks those that have a residual."""
    motion, residual = picture.motion, picture.residual
    assert motion is not None and residual is not None  # neither is None but on I-pictures
    any_coded = np.zeros((residual.y.shape[0] // 16, residual.y.shape[1] // 16), np.bool_)
    for plane, side in ((residual.y, 16), (residual.cb, 8), (residual.cr, 8)):
        rows, columns = any_coded.shape
        whole = plane[: rows * side, : columns * side]  # HEVC's pictures end at a multiple of 8
        any_coded |= whole.reshape(rows, side, columns, side).any(axis=(1, 3))
    moved = motion.mv_qpel.any(axis=(0, 3))
    return [float(moved.mean()), float(motion.intra.mean()), float(any_coded.mean())]
