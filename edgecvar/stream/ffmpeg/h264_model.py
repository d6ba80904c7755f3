"""The ReferenceModel of H.264: lists, weights and their certainty, picture by picture."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Sequence, Tuple

from edgecvar.stream.ffmpeg.h264_references import DecodedPictures, OrderCount, Stored
from edgecvar.stream.ffmpeg.references import PLAIN, Lists, PlaneWeights, PredictionPlan, Weighting, Weights
from edgecvar.stream.h264.headers import HeaderParser, SliceHeader, Weight
from edgecvar.stream.images.recovery import RecoveryRun, RecoveryState, RecoveryTracker
from edgecvar.stream.nal.bits import HeaderEnded

_REMEMBERED = 17


@dataclass(frozen=True)
class CodedReferences:
    """What the headers of one packet say of its references."""

    idr: bool
    reference: bool
    lists: Lists
    certain: bool
    weighting: Weighting
    fields: bool
    opens_intra: bool
    recovery: Optional[RecoveryRun]


class H264Model:
    """The ReferenceModel of H.264: exact where each list in use holds one picture only, in frame-coded streams."""

    def __init__(self, parser: HeaderParser) -> None:
        self._parser = parser
        self._order = OrderCount()
        self._recoveries = RecoveryTracker()
        self._pictures = DecodedPictures()
        self._coded: Dict[int, Optional[CodedReferences]] = {}
        self._whole = False
        self._fields = False
        self._intact = True
        self._recent: OrderedDict[int, int] = OrderedDict()

    def feed(self, number: int, packet: bytes) -> None:
        try:
            headers = self._parser.slices(packet)
            self._coded[number] = self._follow(number, headers, packet) if headers else None
        except HeaderEnded:
            self._coded[number] = None
            self._whole = False

    def lost(self, number: int) -> None:
        coded = self._coded.pop(number, None)
        if coded is not None and coded.reference:
            self._intact = False

    def opens_intra(self, number: int) -> bool:
        coded = self._coded.get(number)
        return coded is not None and coded.opens_intra

    def recovery(self, number: int) -> Optional[RecoveryRun]:
        coded = self._coded.get(number)
        return None if coded is None else coded.recovery

    def plan(self, number: int, kind: str, display_indices: Mapping[int, int]) -> PredictionPlan:
        coded = self._coded.pop(number, None)
        if coded is not None and coded.idr:
            self._intact = True
        lists, exact, weighting = self._nearest(kind, display_indices[number], display_indices), False, PLAIN
        if coded is not None and self._usable(coded.lists, kind, display_indices):
            lists, exact, weighting = coded.lists, coded.certain and self._intact, coded.weighting
        if coded is None or coded.reference:
            self._recent[number] = display_indices[number]
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        fields = coded is not None and coded.fields
        return PredictionPlan(lists, exact or kind == "I", "h264", weighting=weighting, fields=fields)

    @staticmethod
    def _usable(lists: Lists, kind: str, display_indices: Mapping[int, int]) -> bool:
        count = {"I": 0, "P": 1, "B": 2}[kind]
        return all(number is not None and number in display_indices for number in lists[:count])

    def _nearest(self, kind: str, display: int, display_indices: Mapping[int, int]) -> Lists:
        recent = [(place, number) for number, place in self._recent.items() if number in display_indices]
        if kind == "I" or not recent:
            return None, None
        if kind == "P":
            return recent[-1][1], None
        past = [picture for picture in recent if picture[0] < display]
        future = [picture for picture in recent if picture[0] > display]
        first = max(past)[1] if past else None
        second = min(future)[1] if future else None
        return (first if first is not None else second), (second if second is not None else first)

    def _follow(self, number: int, headers: Sequence[SliceHeader], packet: bytes) -> CodedReferences:
        header = headers[0]
        if header.idr:
            self._whole, self._fields = True, False
        self._fields = self._fields or any(slice_.field for slice_ in headers)
        self._whole = self._pictures.enter(header) and self._whole
        poc = self._order.of(header)
        inter = [slice_ for slice_ in headers if slice_.kind != "I"] or [header]
        predictions = [self._prediction(slice_, poc) for slice_ in inter]
        agree = all(sure and prediction == predictions[0][0] for prediction, sure in predictions)
        certain = self._whole and not self._fields and agree
        if self._pictures.mark(header, number, poc):
            self._order.reset(0)
        lists, weighting = predictions[0][0]
        opens_intra = header.field and all(each.kind == "I" for each in headers if each.bottom == header.bottom)
        state = RecoveryState(
            place=header.frame_num,
            places=1 << header.sequence.frame_num_bits,
            intra=opens_intra or all(each.kind == "I" for each in headers),
            reference=header.ref_idc > 0,
            count=self._parser.recovery_frame_cnt,
        )
        recovery = self._recoveries.push(state, packet, self._parser.parameter_sets)
        return CodedReferences(
            header.idr, state.reference, lists, certain, weighting, header.field, opens_intra, recovery
        )

    def _prediction(self, header: SliceHeader, poc: int) -> Tuple[Tuple[Lists, Weighting], bool]:
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
    deeper = header.sequence.bit_depth - 8
    if tables[0] is not None and tables[1] is not None and not (tables[0].plain and tables[1].plain):
        both = _both(tables[0], tables[1], deeper)
    singles = [None if table is None or table.plain else _single(table, deeper) for table in tables]
    return Weighting(singles[0], singles[1], both)


def _single(weight: Weight, deeper: int) -> Weights:
    """Offsets are coded in 8-bit units (equation 8-300): samples have `deeper` bits more."""
    luma, chroma = weight.luma_log2, weight.chroma_log2
    planes = [(weight.y, luma), (weight.cb, chroma), (weight.cr, chroma)]
    weights = [PlaneWeights(w, 0, (1 << log2) >> 1, log2, offset << deeper) for (w, offset), log2 in planes]
    return weights[0], weights[1], weights[2]


def _both(zero: Weight, one: Weight, deeper: int) -> Weights:
    luma, chroma = zero.luma_log2, zero.chroma_log2
    pairs = [(zero.y, one.y, luma), (zero.cb, one.cb, chroma), (zero.cr, one.cr, chroma)]
    weights = [
        PlaneWeights(a[0], b[0], 1 << log2, log2 + 1, (((a[1] + b[1]) << deeper) + 1) >> 1) for a, b, log2 in pairs
    ]
    return weights[0], weights[1], weights[2]


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
