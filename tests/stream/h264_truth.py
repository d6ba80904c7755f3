"""The identity clip(prediction + residual) == picture, checked on every inter sample against FFmpeg's own decode."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np

from edgecvar.errors import StreamError
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture, MotionField
from tests.stream.h264_prediction import Prediction, TruePicture, predict
from tests.stream.true_decoder import Standard, TrueDecoder

PLANES = ("y", "cb", "cr")
TOLD = 40
"""Wrong blocks of the first wrong picture that a report tells of."""


def unit_types(data: bytes, length_size: int) -> List[int]:
    """nal_unit_type of the NAL units of a packet, split by lengths or, where `length_size` is 0, by start codes."""
    found, at = [], 0
    if length_size:
        while at + length_size < len(data):
            found.append(data[at + length_size] & 31)
            at += length_size + int.from_bytes(data[at : at + length_size], "big")
        return found
    while (at := data.find(b"\0\0\1", at)) >= 0 and at + 3 < len(data):
        found.append(data[at + 3] & 31)
        at += 3
    return found


def _length_size(extradata: bytes) -> int:
    """From an avcC record; 0 where it is none."""
    return (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0


def _has_slices(data: bytes, length_size: int) -> bool:
    return any(1 <= kind <= 5 for kind in unit_types(data, length_size))


H264 = Standard("h264", _length_size, _has_slices, TruePicture, predict)


@dataclass
class IdentityReport:
    """What became of every inter sample. `wrong_samples` counts among `inter_samples` alone.

    `exempt_samples`, of which `exempt_wrong` are wrong, belong to pictures that are not exact or that FFmpeg calls
    corrupt; `unknown_samples` to blocks without a reference, or with one that FFmpeg never gave out.
    `without_truth` counts P and B pictures that FFmpeg did not give out; `order_breaks` where its order differs.
    """

    pictures: int = 0
    intra_pictures: int = 0
    p_pictures: int = 0
    b_pictures: int = 0
    inter_samples: int = 0
    wrong_samples: int = 0
    wrong_pictures: int = 0
    exempt_pictures: int = 0
    exempt_samples: int = 0
    exempt_wrong: int = 0
    unknown_samples: int = 0
    without_truth: int = 0
    order_breaks: int = 0
    weighted_blocks: int = 0
    both_lists: int = 0
    small_blocks: int = 0
    skipped: int = 0
    reasons: Dict[str, int] = field(default_factory=dict)
    damaged: int = 0
    damage: Dict[str, int] = field(default_factory=dict)
    ended_by: str = ""
    offsets: Dict[int, int] = field(default_factory=dict)
    first_wrong: str = ""
    first_exempt_wrong: str = ""
    wrong_blocks: List[str] = field(default_factory=list)  # of the first wrong picture, in decoding order
    seconds: float = 0.0
    cut_short: bool = False
    extraction: str = ""
    note: str = ""

    @property
    def percent(self) -> float:
        """Share of checked inter samples that are right."""
        return 100.0 * (1 - self.wrong_samples / self.inter_samples) if self.inter_samples else float("nan")

    @property
    def whole(self) -> bool:
        """Whether every inter sample was checked and is right."""
        unchecked = self.exempt_samples + self.unknown_samples + self.without_truth + self.order_breaks
        sound = unchecked + self.skipped + self.damaged == 0 and not self.ended_by
        return self.inter_samples > 0 and self.wrong_samples == 0 and sound


def check_identity(
    source: Union[str, Path],
    pictures: Optional[int] = None,
    seconds: Optional[float] = None,
    extraction: str = "native",
    loop_filter: str = "all",
    standard: Standard = H264,
) -> IdentityReport:
    """Checks clip(prediction + residual) == picture on every inter sample of at most `pictures`, `seconds` long."""
    report = IdentityReport()
    started = time.monotonic()
    truth = TrueDecoder(standard, source, loop_filter)
    numbers: Dict[int, int] = {}  # packet by display index
    try:
        with open_stream(source, extraction=extraction) as stream:
            report.extraction, report.note = stream.info.extraction, stream.info.extraction_note
            for picture in _until_refused(report, stream):
                number = truth.packet_of(picture)
                report.pictures += 1
                if number is not None:
                    numbers[picture.display_index] = number
                    _check(report, picture, numbers, truth)
                late = seconds is not None and time.monotonic() - started > seconds
                if late or report.pictures == pictures:
                    report.cut_short = True
                    break
            _summarise(report, stream.summary)
        report.order_breaks = _order_breaks(truth.order, numbers)
    finally:
        truth.close()
    report.seconds = time.monotonic() - started
    return report


def _until_refused(report: IdentityReport, stream: Any) -> Iterator[CodedPicture]:
    """The pictures up to where the reader says that it cannot go on, as at a change of size."""
    try:
        yield from stream
    except StreamError as error:
        report.ended_by = str(error)


def _summarise(report: IdentityReport, summary: Any) -> None:
    report.skipped, report.reasons = summary.skipped, dict(summary.reasons)
    report.damaged, report.damage = getattr(summary, "damaged", 0), dict(getattr(summary, "damage", {}))


def _order_breaks(order: List[int], numbers: Dict[int, int]) -> int:
    """How often FFmpeg's output goes back in display index."""
    display = {number: index for index, number in numbers.items()}
    shown = [display[number] for number in order if number in display]
    return int((np.diff(shown) < 0).sum()) if len(shown) > 1 else 0


def _check(report: IdentityReport, picture: CodedPicture, numbers: Dict[int, int], truth: TrueDecoder) -> None:
    motion = picture.motion
    if motion is None:
        report.intra_pictures += 1
        return
    report.p_pictures += picture.kind == "P"
    report.b_pictures += picture.kind == "B"
    _count(report, motion)
    residual: Any = picture.content.coded_residual()  # type: ignore[attr-defined]
    number = numbers[picture.display_index]
    frame, own = truth.frame(number), truth.picture(number)
    if own is None or frame is None or residual is None:
        report.without_truth += 1
        return
    references: Dict[int, Any] = {picture.display_index: own}
    for offset in np.unique(motion.ref_offset):
        display = picture.display_index + int(offset)
        found = truth.picture(numbers[display]) if offset and display in numbers else None
        if found is not None and found.planes[0].shape == own.planes[0].shape:
            references[display] = found
    prediction = truth.standard.predict(motion, picture.weights, picture.display_index, references, len(own.planes))
    exempt = not motion.exact or bool(getattr(frame, "is_corrupt", False))
    report.exempt_pictures += exempt
    inter = ~motion.intra
    bad_blocks: List[Tuple[int, Tuple[int, int, int]]] = []  # place in decoding order; plane, row and column
    for plane in range(len(own.planes)):
        side = 4 if plane == 0 else 2
        sure = (inter & prediction.known).repeat(side, axis=0).repeat(side, axis=1)
        rebuilt = np.clip(prediction.planes[plane].astype(np.int32) + residual[plane], 0, own.maximum)
        wrong = (rebuilt != own.planes[plane]) & sure
        count, bad = int(sure.sum()), int(wrong.sum())
        report.unknown_samples += int((inter & ~prediction.known).sum()) * side * side
        if exempt:
            report.exempt_samples += count
            report.exempt_wrong += bad
        else:
            report.inter_samples += count
            report.wrong_samples += bad
        if bad:
            blocks = wrong.reshape(wrong.shape[0] // side, side, -1, side).any(axis=(1, 3))
            order = decoding_order(blocks.shape, truth.standard.square)[blocks]
            places = ((plane, int(row), int(column)) for row, column in zip(*np.nonzero(blocks)))
            bad_blocks += zip(order.tolist(), places)
    if bad_blocks:
        report.wrong_pictures += not exempt
        bad_blocks.sort()
        told = [_describe(picture, place, prediction, residual, own) for _, place in bad_blocks[:TOLD]]
        if exempt:
            report.first_exempt_wrong = report.first_exempt_wrong or told[0]
        elif not report.first_wrong:
            report.first_wrong = f"{told[0]}; {len(bad_blocks)} wrong blocks in the picture"
            report.wrong_blocks = told


def decoding_order(shape: Tuple[int, ...], square: int) -> np.ndarray:
    """Of each 4x4 block its place in the order of coding, but for slice groups and tiles."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    side = square // 4
    order = (row // side * (shape[1] // side + 1) + column // side) * side * side
    for bit in range(side.bit_length() - 1):
        order += (column >> bit & 1) << 2 * bit | (row >> bit & 1) << 2 * bit + 1
    return np.asarray(order)


def _count(report: IdentityReport, motion: MotionField) -> None:
    used = motion.ref_offset != 0
    report.weighted_blocks += int(motion.weighted.sum())
    report.both_lists += int(used.all(axis=0).sum())
    pairs = motion.mv_qpel[:, :, 0::2] != motion.mv_qpel[:, :, 1::2]
    report.small_blocks += int(pairs.any(axis=(0, -1)).sum())
    values, counts = np.unique(motion.ref_offset, return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist()):
        if value:
            report.offsets[value] = report.offsets.get(value, 0) + count


def _describe(
    picture: CodedPicture, place: Tuple[int, int, int], prediction: Prediction, residual: Any, own: Any
) -> str:
    """A wrong block with all that tells why."""
    motion, weights = picture.motion, picture.weights
    assert motion is not None
    plane, row, column = place
    side = 4 if plane == 0 else 2
    part = (slice(row * side, row * side + side), slice(column * side, column * side + side))
    told = (
        f"picture {picture.decode_index} (shown {picture.display_index}, {picture.kind}), plane {PLANES[plane]}, "
        f"block at luma {4 * column}, {4 * row} (macroblock {column // 4}, {row // 4}): "
        f"mv {motion.mv_qpel[:, row, column].tolist()}, ref_offset {motion.ref_offset[:, row, column].tolist()}, "
        f"weighted {bool(motion.weighted[row, column])}; predicted {prediction.planes[plane][part].tolist()}, "
        f"residual {residual[plane][part].tolist()}, actual {own.planes[plane][part].tolist()}"
    )
    if weights is not None and motion.weighted[row, column]:
        told += (
            f"; weights {weights.weight[:, row, column].tolist()}, offsets {weights.offset[:, row, column].tolist()}"
        )
        told += f", denominators {weights.log2_denominator[row, column].tolist()}"
    return told
