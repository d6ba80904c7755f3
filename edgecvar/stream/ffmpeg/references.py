"""Which pictures a picture predicts from: the plan that every codec's reference model makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Protocol, Tuple

from edgecvar.stream.ffmpeg.headers.mpeg4_macroblocks import CodedPlane
from edgecvar.stream.ffmpeg.mpeg4_vectors import BackwardVectors
from edgecvar.stream.images.recovery import RecoveryRun

Lists = Tuple[Optional[int], Optional[int]]
"""Decode numbers of the reference of list 0 and of list 1; None where the list has none."""


@dataclass(frozen=True)
class PlaneWeights:
    """Weights of one plane: ((a * w0 + b * w1 + rounding) >> shift) + offset (H.264 section 8.4.2.3.2)."""

    w0: int
    w1: int
    rounding: int
    shift: int
    offset: int


Weights = Tuple[PlaneWeights, PlaneWeights, PlaneWeights]
"""Of y, cb and cr."""


@dataclass(frozen=True)
class Weighting:
    """Weights of blocks that use list 0 alone, list 1 alone, or both; None means plain prediction."""

    list0: Optional[Weights] = None
    list1: Optional[Weights] = None
    both: Optional[Weights] = None


PLAIN = Weighting()


@dataclass(frozen=True)
class PredictionPlan:
    """The references of one picture, how surely they are known, and how samples between pixels are made.

    `interpolation` is "h264", "mpeg4", "mpeg4-qpel", "mpeg1" or "h263"; `rounding` is 1 where half-pel averages
    round down (MPEG-4 vop_rounding_type, H.263 RTYPE). `vectors` stands in where FFmpeg exports none. `fields`: the
    picture is two fields, whose vectors count lines of a field.
    """

    references: Lists
    exact: bool
    interpolation: str
    rounding: int = 0
    weighting: Weighting = PLAIN
    vectors: Optional[BackwardVectors] = None
    fields: bool = False


class ReferenceModel(Protocol):
    """Follows the coded headers in decode order; never looks at pixels."""

    def feed(self, number: int, packet: bytes) -> None:
        """Takes the packet with decode number `number`."""
        ...

    def lost(self, number: int) -> None:
        """Packet `number` gave no picture."""
        ...

    def opens_intra(self, number: int) -> bool:
        """Whether packet `number`, of which there is no plan yet, is two fields and the first of them intra."""
        ...

    def recovery(self, number: int) -> Optional[RecoveryRun]:
        """What the picture of packet `number`, of which there is no plan yet, is decoded from if it ends a recovery."""
        ...

    def plan(self, number: int, kind: str, display_indices: Mapping[int, int]) -> PredictionPlan:
        """The plan of the picture `number`; `display_indices` is by decode number, of pictures given out."""
        ...


@dataclass(frozen=True)
class PredictionStyle:
    """What a picture header of the MPEG family says of its prediction."""

    interpolation: str
    rounding: int = 0
    certain: bool = True
    coded: bool = True
    reference: bool = True
    fields: bool = False
    opens_intra: bool = False
    plane: Optional[CodedPlane] = None


class CodedHeaderReader(Protocol):
    """Reads the picture header in a packet."""

    def read(self, packet: bytes) -> PredictionStyle: ...


class AnchorModel:
    """MPEG-1, MPEG-2, MPEG-4 part 2, H.263: the last one or two I and P pictures are the references."""

    def __init__(self, header_reader: CodedHeaderReader) -> None:
        self._headers = header_reader
        self._styles: Dict[int, PredictionStyle] = {}
        self._anchors: Lists = (None, None)
        self._planes: Tuple[Optional[CodedPlane], Optional[CodedPlane]] = (None, None)
        self._intact = True

    def feed(self, number: int, packet: bytes) -> None:
        self._styles[number] = self._headers.read(packet)

    def lost(self, number: int) -> None:
        if self._styles.pop(number, PredictionStyle("", coded=False)).coded:
            self._intact = False

    def opens_intra(self, number: int) -> bool:
        return self._styles[number].opens_intra

    def recovery(self, number: int) -> Optional[RecoveryRun]:
        return None

    def plan(self, number: int, kind: str, display_indices: Mapping[int, int]) -> PredictionPlan:
        style = self._styles.pop(number)
        before, last = self._anchors
        if kind == "I":
            self._intact = True
        references: Lists = {"I": (None, None), "P": (last, None), "B": (before, last)}[kind]
        complete = references[0] is not None and (kind != "B" or references[1] is not None)
        if kind != "B" and style.reference:
            self._anchors = (last, number)
            self._planes = (self._planes[1], style.plane)
        exact = kind == "I" or (self._intact and style.certain and complete)
        vectors = None
        if kind == "B" and style.interpolation.startswith("mpeg4"):
            vectors = BackwardVectors(style.plane, self._planes[0], self._planes[1])
        return PredictionPlan(
            references, exact, style.interpolation, style.rounding, vectors=vectors, fields=style.fields
        )
