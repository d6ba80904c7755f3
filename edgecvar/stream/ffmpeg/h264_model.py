"""The ReferenceModel of H.264: lists, weights and their certainty, picture by picture."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Sequence, Tuple

from edgecvar.stream.ffmpeg.h264_references import DecodedPictures, OrderCount, Stored
from edgecvar.stream.ffmpeg.headers.bits import HeaderEnded
from edgecvar.stream.ffmpeg.headers.h264 import HeaderParser, SliceHeader, Weight
from edgecvar.stream.ffmpeg.references import PLAIN, Lists, PlaneWeights, PredictionPlan, Weighting, Weights

_REMEMBERED = 17


@dataclass(frozen=True)
class Known:
    """What the headers of one packet told."""

    idr: bool
    reference: bool
    lists: Lists
    certain: bool
    weighting: Weighting


class H264Model:
    """The ReferenceModel of H.264: exact where each list in use holds one picture only, in frame-coded streams."""

    def __init__(self, parser: HeaderParser) -> None:
        self._parser = parser
        self._order = OrderCount()
        self._pictures = DecodedPictures()
        self._known: Dict[int, Optional[Known]] = {}
        self._whole = False
        self._fields = False
        self._intact = True
        self._recent: OrderedDict[int, int] = OrderedDict()

    def feed(self, number: int, packet: bytes) -> None:
        try:
            headers = self._parser.slices(packet)
            self._known[number] = self._follow(number, headers) if headers else None
        except HeaderEnded:
            self._known[number] = None
            self._whole = False

    def lost(self, number: int) -> None:
        known = self._known.pop(number, None)
        if known is not None and known.reference:
            self._intact = False

    def plan(self, number: int, kind: str, shown: Mapping[int, int]) -> PredictionPlan:
        known = self._known.pop(number, None)
        if known is not None and known.idr:
            self._intact = True
        lists, exact, weighting = self._nearest(kind, shown[number], shown), False, PLAIN
        if known is not None and self._usable(known.lists, kind, shown):
            lists, exact, weighting = known.lists, known.certain and self._intact, known.weighting
        if known is None or known.reference:
            self._recent[number] = shown[number]
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        return PredictionPlan(lists, exact or kind == "I", "h264", weighting=weighting)

    @staticmethod
    def _usable(lists: Lists, kind: str, shown: Mapping[int, int]) -> bool:
        wanted = {"I": 0, "P": 1, "B": 2}[kind]
        return all(number is not None and number in shown for number in lists[:wanted])

    def _nearest(self, kind: str, display: int, shown: Mapping[int, int]) -> Lists:
        recent = [(place, number) for number, place in self._recent.items() if number in shown]
        if kind == "I" or not recent:
            return None, None
        if kind == "P":
            return recent[-1][1], None
        past = [known for known in recent if known[0] < display]
        future = [known for known in recent if known[0] > display]
        first = max(past)[1] if past else None
        second = min(future)[1] if future else None
        return (first if first is not None else second), (second if second is not None else first)

    def _follow(self, number: int, headers: Sequence[SliceHeader]) -> Known:
        header = headers[0]
        if header.idr:
            self._whole, self._fields = True, False
        self._fields = self._fields or any(slice_.field for slice_ in headers)
        self._whole = self._pictures.enter(header) and self._whole
        poc = self._order.of(header)
        coded = [slice_ for slice_ in headers if slice_.kind != "I"] or [header]
        told = [self._told(slice_, poc) for slice_ in coded]
        certain = self._whole and not self._fields and all(sure and same == told[0][0] for same, sure in told)
        if self._pictures.mark(header, number, poc):
            self._order.reset(0)
        lists, weighting = told[0][0]
        return Known(header.idr, header.ref_idc > 0, lists, certain, weighting)

    def _told(self, header: SliceHeader, poc: int) -> Tuple[Tuple[Lists, Weighting], bool]:
        lists = self._pictures.lists(header, poc)
        first = tuple(entries[0] if entries else None for entries in lists)
        sure = not header.sequence.mbaff and all(
            len({frame.number for frame in entries}) == 1 for entries, used in zip(lists, header.active) if used
        )
        sure = sure and all(len(set(table)) <= 1 for table in header.weights)
        sure = sure and (header.kind != "B" or header.sequence.direct_8x8_inference)
        numbers = tuple(None if frame is None else frame.number for frame in first)
        return ((numbers[0], numbers[1]), _weighting(header, poc, (first[0], first[1]))), sure


def _weighting(header: SliceHeader, poc: int, first: Tuple[Optional[Stored], Optional[Stored]]) -> Weighting:
    if header.kind == "B" and header.picture_set.weighted_bipred == 2:
        return _implicit(poc, first)
    tables = [table[0] if table else None for table in header.weights]
    both = None
    if tables[0] is not None and tables[1] is not None and not (tables[0].plain and tables[1].plain):
        both = _both(tables[0], tables[1])
    singles = [None if table is None or table.plain else _single(table) for table in tables]
    return Weighting(singles[0], singles[1], both)


def _single(weight: Weight) -> Weights:
    luma, chroma = weight.luma_log2, weight.chroma_log2
    planes = [(weight.y, luma), (weight.cb, chroma), (weight.cr, chroma)]
    made = [PlaneWeights(w, 0, (1 << log2) >> 1, log2, offset) for (w, offset), log2 in planes]
    return made[0], made[1], made[2]


def _both(zero: Weight, one: Weight) -> Weights:
    luma, chroma = zero.luma_log2, zero.chroma_log2
    pairs = [(zero.y, one.y, luma), (zero.cb, one.cb, chroma), (zero.cr, one.cr, chroma)]
    made = [PlaneWeights(a[0], b[0], 1 << log2, log2 + 1, (a[1] + b[1] + 1) >> 1) for a, b, log2 in pairs]
    return made[0], made[1], made[2]


def _implicit(poc: int, first: Tuple[Optional[Stored], Optional[Stored]]) -> Weighting:
    zero, one = first
    if zero is None or one is None or zero.long_term is not None or one.long_term is not None:
        return PLAIN
    span = max(-128, min(127, one.poc - zero.poc))
    if span == 0:
        return PLAIN
    reach = max(-128, min(127, poc - zero.poc))
    scaled = int((16384 + abs(int(span / 2))) / span)
    factor = max(-1024, min(1023, (reach * scaled + 32) >> 6)) >> 2
    if factor == 32 or not -64 <= factor <= 128:
        return PLAIN
    plane = PlaneWeights(64 - factor, factor, 32, 6, 0)
    return Weighting(both=(plane, plane, plane))
