"""The values that cross the stream's boundary, shapes checked, units in their names."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Mapping, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.colour import ShownPlanes

if TYPE_CHECKING:
    from edgecvar.stream.native._core import Picture

BLOCK = 4
"""Side of one motion block, in luma samples."""
MOST_REASONS, OTHER_REASONS = 200, "other reasons"
"""That are told apart: a stream of months may be damaged in ever new ways."""
RECONNECTED = "reconnected"
"""The reason of a break where a live source was opened again: nothing after it rests on what came before."""


@dataclass(frozen=True)
class StreamInfo:
    """What is known of a stream before its first picture.

    `width` and `height` are the displayed size before rotation; `coded_width` and `coded_height` (multiples of
    16, of HEVC of 8) are what motion and residual arrays cover, the displayed rectangle starting at (`crop_left`,
    `crop_top`). `rotation` is how many degrees (0, 90, 180, 270) the displayed picture is turned counter-clockwise.
    `extraction` is "native" or "ffmpeg", and `extraction_note` says what that means for the stream, and why.
    `decoder` is what decodes I-pictures from its first on, "software" or the name of one in hardware, and
    `decoder_note` says why, and how far its first picture is from software's.
    """

    codec: str
    width: int
    height: int
    fps: Fraction
    time_base: Fraction
    has_b_pictures: bool
    extraction: str
    coded_width: int
    coded_height: int
    crop_left: int = 0
    crop_top: int = 0
    rotation: int = 0
    extraction_note: str = ""
    decoder: str = "software"
    decoder_note: str = ""

    def __repr__(self) -> str:
        rate = f"{float(self.fps):.4g} pictures/s"
        return f"<StreamInfo {self.codec}, {self.width} x {self.height}, {rate}, {self.extraction}>"


@dataclass(frozen=True)
class Break:
    """A place where a stream does not go on as it was: no picture from here on belongs to a window before it.

    `reason` is one of a few words that are counted ("picture size changed", "timestamps went back", "timestamps jumped
    ahead", "reconnected"); `info` is what is known of the stream from here on.
    """

    reason: str
    info: StreamInfo


@dataclass(frozen=True, eq=False)
class MotionField:
    """Motion vectors of one picture on the 4 x 4-pixel grid of the coded picture.

    `mv_qpel` int16 (2, H/4, W/4, 2): list, row, column, (x, y), from the block to its reference in quarter pixels.
    `ref_offset` int16 (2, H/4, W/4): display index of the reference minus this picture's; 0 where unused,
    in intra blocks, and on the FFmpeg path where the reference is not known.
    `intra` and `weighted` bool (H/4, W/4). `exact` is False where the nearest reference had to be assumed, or where
    vectors rest on what was lost.
    """

    mv_qpel: NDArray[np.int16]
    ref_offset: NDArray[np.int16]
    intra: NDArray[np.bool_]
    weighted: NDArray[np.bool_]
    exact: bool

    def __post_init__(self) -> None:
        grid = self.intra.shape
        for name, shape in (("mv_qpel", (2, *grid, 2)), ("ref_offset", (2, *grid)), ("weighted", grid)):
            got = getattr(self, name).shape
            if got != shape:
                raise ValueError(f"MotionField.{name}: got shape {got}, expected {shape}")

    def __repr__(self) -> str:
        rows, columns = self.intra.shape
        return f"<MotionField {rows} x {columns} blocks{'' if self.exact else ', not exact'}>"


@dataclass(frozen=True, eq=False)
class Residual:
    """What the bitstream adds to the prediction: int16 y (H, W), cb and cr (H/2, W/2), of the coded picture.

    Before clipping and before the loop filters (deblocking, of HEVC sample adaptive offset too); 0 where nothing is
    coded.
    In 8-bit 4:2:0, whatever the stream is sampled in: of other formats the mean of what is in a sample's place, in
    BT.601 of RGB.
    """

    y: NDArray[np.int16]
    cb: NDArray[np.int16]
    cr: NDArray[np.int16]

    def __post_init__(self) -> None:
        height, width = self.y.shape
        for name in ("cb", "cr"):
            got = getattr(self, name).shape
            if got != (height // 2, width // 2):
                raise ValueError(f"Residual.{name}: got shape {got}, expected {(height // 2, width // 2)}")

    def __repr__(self) -> str:
        return f"<Residual {self.y.shape[0]} x {self.y.shape[1]}>"


@dataclass(frozen=True, eq=False)
class PredictionWeights:
    """How the references of one picture weigh, on the 4 x 4-pixel grid of the coded picture; last axis y, cb, cr.

    `weight` and `offset` int16 (2, H/4, W/4, 3), `log2_denominator` d uint8 (H/4, W/4, 3). A block of one list is
    ((p * w + 2**(d - 1)) >> d) + o, or p * w + o where d is 0; of both ((p0 * w0 + p1 * w1 + 2**d) >> (d + 1)) +
    ((o0 + o1 + 1) >> 1). Plain prediction is weight 1, offset 0, d 0 (ITU-T H.264, 8.4.2.3).

    HEVC weighs what interpolation leaves with 14 bits: for samples of n bits d is larger by 14 - n in the formulas. Of
    both lists it adds offsets before it rounds: ((p0 * w0 + p1 * w1 + ((o0 + o1 + 1) << d)) >> (d + 1)) (ITU-T H.265,
    8.5.3.3.4.3).
    """

    weight: NDArray[np.int16]
    offset: NDArray[np.int16]
    log2_denominator: NDArray[np.uint8]

    def __post_init__(self) -> None:
        grid = self.log2_denominator.shape
        if len(grid) != 3 or grid[2] != 3:
            raise ValueError(f"PredictionWeights.log2_denominator: got shape {grid}, expected (H/4, W/4, 3)")
        for name in ("weight", "offset"):
            got = getattr(self, name).shape
            if got != (2, *grid):
                raise ValueError(f"PredictionWeights.{name}: got shape {got}, expected {(2, *grid)}")

    def __repr__(self) -> str:
        return f"<PredictionWeights {self.log2_denominator.shape[0]} x {self.log2_denominator.shape[1]} blocks>"


class Decoded(Protocol):
    """A picture out of a decoder, as a viewer shows it but for rotation; both raise StreamError where it gave none."""

    def planes(self) -> ShownPlanes: ...

    def rgb(self) -> NDArray[np.uint8]: ...


class PictureContent(Protocol):
    """Computes what a picture holds, when asked."""

    @property
    def parsed(self) -> Optional[Picture]: ...

    @property
    def reference(self) -> bool: ...

    def motion(self) -> Optional[MotionField]: ...

    def weights(self) -> Optional[PredictionWeights]: ...

    def residual(self) -> Optional[Residual]: ...

    def planes(self) -> Optional[ShownPlanes]: ...


@dataclass(frozen=True)
class CodedPicture:
    """One picture in decode order; what is asked of it is computed on first use and kept.

    `kind` is "I", "P" or "B". `motion` and `residual` are None on I pictures, and so is `weights`, which the FFmpeg
    path never gives; `image` is uint8 (height, width, 3) RGB where it `has_image`, as displayed but not rotated, and
    None elsewhere, and `planes` are what it is made of. `frame` is the same of any picture where the stream was opened
    with frames, else None. All raise StreamError where the picture's bits do not give them.

    `recovered` is a P or B picture all of which has been coded anew since a recovery point (intra refresh): it has an
    image, decoded from there on. Where a stream begins without an I-picture, what comes before its first recovered one
    rests on what may not be there, and its motion is not exact.

    `pts_seconds` lies on one timeline, which rises in display order whatever the container's timestamps do. `opens` is
    the break that this picture is the first after, in decode order. `shown` is False where an edit list, or the stream,
    hides the picture: others refer to it, and nobody is to see it.
    `arrived`, of a live source, is when the packet that was read last came, by `time.perf_counter` in seconds: its own,
    or where pictures are reordered one after it.
    """

    decode_index: int
    display_index: int
    pts_seconds: float
    kind: str
    keyframe: bool
    content: PictureContent = field(repr=False, compare=False)
    decoded: Optional[Decoded] = field(default=None, repr=False, compare=False)
    opens: Optional[Break] = None
    shown: bool = True
    recovered: bool = False
    arrived: Optional[float] = field(default=None, repr=False, compare=False)

    @property
    def has_image(self) -> bool:
        """Whether there is an `image` to ask for, which costs a decoding."""
        return self.kind == "I" or self.recovered

    @property
    def reference(self) -> bool:
        """Whether others may refer to it; True where that is not known (the FFmpeg path)."""
        return self.content.reference

    @property
    def parsed(self) -> Optional[Picture]:
        """The native core's own picture, for what it computes with no field in between; None on the FFmpeg path."""
        return self.content.parsed

    @cached_property
    def motion(self) -> Optional[MotionField]:
        return self.content.motion()

    @cached_property
    def weights(self) -> Optional[PredictionWeights]:
        return self.content.weights()

    @cached_property
    def residual(self) -> Optional[Residual]:
        return self.content.residual()

    @cached_property
    def planes(self) -> Optional[ShownPlanes]:
        return self.content.planes()

    @cached_property
    def image(self) -> Optional[NDArray[np.uint8]]:
        return None if self.planes is None else self.planes.rgb()

    @cached_property
    def frame(self) -> Optional[NDArray[np.uint8]]:
        return None if self.decoded is None else self.decoded.rgb()

    def __repr__(self) -> str:
        key = ", key picture" if self.keyframe else ""
        place = f"{self.kind} picture {self.decode_index}, displayed as {self.display_index}"
        return f"<{place}, {self.pts_seconds:.2f} s{key}>"

    def _repr_png_(self) -> Optional[bytes]:
        """What a notebook shows: an I-picture's image, of others the motion field; None where there is neither."""
        from edgecvar.stream.png import encode_png, motion_colours

        if self.kind == "I":
            return None if self.image is None else encode_png(self.image)
        return None if self.motion is None else encode_png(motion_colours(self.motion))


@dataclass(frozen=True)
class LiveCounts:
    """What a live source has been through.

    `reconnections`: how often it came back; `failures`: how often it could not be opened or went away, by reason;
    `away_seconds`: how long it was not there, before its first picture too. `dropped` packets fell as their reader was
    late, each time up to an I-picture; `thinned` pictures were not sampled as decisions came late.
    """

    reconnections: int = 0
    away_seconds: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    thinned: int = 0


@dataclass
class StreamSummary:
    """Running counts of one reading: pictures given out, packets that gave none and why, damage in those given.

    `hidden` pictures are given out, not shown, and not among `pictures`. `damaged` ones are among both; `damage` counts
    them by what is wrong with each. `breaks` counts the places where the stream did not go on as it was. `live` is
    there for sources that come and go. `decoder` is the one in hardware that decodes I-pictures, or began to, and how
    far it is from software; `fallbacks` counts by reason what fell back to software: an I-picture, or all from there
    on. `other_layers` counts NAL units of other layers than the base one (a second view, more detail), which are left
    out. `broke_off`: why the container could not be read to its end; empty where it was, or is being read.
    """

    pictures: int = 0
    skipped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    damaged: int = 0
    damage: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    breaks: dict[str, int] = field(default_factory=dict)
    live: Optional[LiveCounts] = None
    decoder: str = ""
    fallbacks: dict[str, int] = field(default_factory=dict)
    other_layers: int = 0
    broke_off: str = ""

    def __repr__(self) -> str:
        more = f", {self.hidden} hidden" if self.hidden else ""
        more += f", {sum(self.breaks.values())} breaks" if self.breaks else ""
        return f"<StreamSummary: {self.pictures} pictures, {self.skipped} skipped, {self.damaged} damaged{more}>"

    def gave(self, shown: bool) -> None:
        """One more picture is given out."""
        self.pictures += shown
        self.hidden += not shown

    def skip(self, reason: str) -> None:
        self.skipped += 1
        count_reason(self.reasons, reason)

    def conceal(self, reason: str) -> None:
        """One more picture that is given out although a part of it is made up or out of place."""
        self.damaged += 1
        count_reason(self.damage, reason)

    def fall_back(self, reason: str) -> None:
        """An I-picture, or all of them from now on, is decoded in software instead of in hardware."""
        count_reason(self.fallbacks, reason)

    def broke(self, reason: str) -> None:
        """The stream did not go on as it was."""
        count_reason(self.breaks, reason)

    def and_of(self, other: StreamSummary) -> StreamSummary:
        """The counts of both, which may go on counting."""
        return StreamSummary(
            pictures=self.pictures + other.pictures,
            skipped=self.skipped + other.skipped,
            reasons=_sums(self.reasons, other.reasons),
            damaged=self.damaged + other.damaged,
            damage=_sums(self.damage, other.damage),
            hidden=self.hidden + other.hidden,
            breaks=_sums(self.breaks, other.breaks),
            decoder=other.decoder or self.decoder,
            fallbacks=_sums(self.fallbacks, other.fallbacks),
            other_layers=self.other_layers + other.other_layers,
            broke_off=other.broke_off or self.broke_off,
        )


def count_reason(counts: dict[str, int], reason: str, number: int = 1) -> None:
    """So many more of a reason; of new ones beyond MOST_REASONS only that there are others."""
    known = reason if reason in counts or len(counts) < MOST_REASONS else OTHER_REASONS
    counts[known] = counts.get(known, 0) + number


def _sums(counts: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    sums = dict(counts)
    for reason, number in dict(others).items():  # a copy at once: its reader may be adding to it
        count_reason(sums, reason, number)
    return sums
