"""The identity clip(prediction + residual) == picture, checked on every inter sample against FFmpeg's own decode."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

import av
import numpy as np

from edgecvar.errors import StreamError
from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources.demuxing import LENIENT_METADATA
from edgecvar.stream.types import CodedPicture, MotionField
from tests.stream.h264_prediction import TruePicture, predict

PLANES = ("y", "cb", "cr")
_MEMORY = 400_000_000  # bytes of pictures kept, and of what is made from them
_DELAY = 40  # packets after which a picture that FFmpeg has not given out never comes


class TrueDecoder:
    """An independent decode by FFmpeg, one thread, without the loop filter; pictures by number of their packet."""

    def __init__(self, source: Union[str, Path], loop_filter: str = "all", export: bool = False) -> None:
        self._container: Any = av.open(str(source), **LENIENT_METADATA)
        streams = [s for s in self._container.streams.video if s.codec_context.name == "h264"]
        self._stream = max(streams, key=lambda s: (s.frames or 0, (s.codec_context.width or 0), -s.index))
        self._context: Any = self._stream.codec_context
        self._context.thread_count, self._context.thread_type = 1, "SLICE"
        self._context.options = {
            "flags": "+output_corrupt",
            "flags2": "+showall" + ("+export_mvs" if export else ""),
            "skip_loop_filter": loop_filter,
            "apply_cropping": "0",
            "strict": "1",  # else pictures that come later than FFmpeg guessed are dropped
        }
        extradata = self._context.extradata or b""
        self._length_size = (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0
        self.coded: List[int] = []
        """Numbers of the packets that hold slices: the k-th picture in decode order is in the k-th of them."""
        self.order: List[int] = []
        """Packet numbers in the order in which FFmpeg put the pictures out."""
        self.errors = 0
        self.ended = False
        self._fed = 0
        self._frames: OrderedDict[int, Any] = OrderedDict()
        self._pictures: OrderedDict[int, TruePicture] = OrderedDict()
        self._packets = self._numbered()

    def close(self) -> None:
        self._frames.clear()
        self._pictures.clear()
        self._container.close()

    def _numbered(self) -> Iterator[Any]:
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    data = bytes(packet)
                    fresh = av.Packet(data) if getattr(packet, "is_discard", False) else packet
                    fresh.pts = fresh.dts = self._fed
                    if any(1 <= kind <= 5 for kind in unit_types(data, self._length_size)):
                        self.coded.append(self._fed)
                    yield fresh
        except (av.error.FFmpegError, ValueError, OSError):
            self.errors += 1

    def _step(self) -> None:
        packet = next(self._packets, None)
        self.ended = packet is None
        self._fed += packet is not None
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError:
            self.errors += 1
            return
        for frame in frames:
            if frame.pts is not None:
                self._frames[frame.pts] = frame
                self.order.append(frame.pts)

    def packet_of(self, picture: CodedPicture) -> Optional[int]:
        """The packet of a picture: the one it was parsed from, or by count, since a picture takes a packet."""
        for name in ("_picture", "_current"):
            if hasattr(picture.content, name):
                return int(getattr(picture.content, name).number)
        while len(self.coded) <= picture.decode_index and not self.ended:
            self._step()
        return self.coded[picture.decode_index] if picture.decode_index < len(self.coded) else None

    def frame(self, number: int) -> Optional[Any]:
        """FFmpeg's frame of a packet; None where it gave none, or it was let go of."""
        while number not in self._frames and not self.ended and self._fed <= number + _DELAY:
            self._step()
        if number in self._frames:
            self._frames.move_to_end(number)
        return self._frames.get(number)

    def picture(self, number: int) -> Optional[TruePicture]:
        """The picture of a packet; the ones unused for longest are let go of when memory runs short."""
        frame = self.frame(number)
        if frame is None:
            return None
        if number not in self._pictures:
            self._pictures[number] = TruePicture(*planes_of(frame))
        self._pictures.move_to_end(number)
        self._trim(self._pictures[number].raw)
        return self._pictures[number]

    def _trim(self, raw: int) -> None:
        derived = sum(picture.derived for picture in self._pictures.values())
        for picture in self._pictures.values():
            if derived <= _MEMORY:
                break
            derived -= picture.derived
            picture.forget()
        while len(self._frames) > max(2 * _DELAY, _MEMORY // raw):
            gone, _ = self._frames.popitem(last=False)
            self._pictures.pop(gone, None)


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


def planes_of(frame: Any) -> Tuple[List[np.ndarray], int]:
    """Planes of a frame over the coded size, and the greatest sample; raises ValueError for other formats."""
    name = frame.format.name
    if not name.startswith(("yuv420p", "yuvj420p", "gray")):
        raise ValueError(f"no truth for {name}")
    depth = int(name[-4:-2]) if name.endswith("le") else 8
    samples = np.dtype(np.uint8 if depth == 8 else np.uint16)
    planes = []
    for plane in frame.planes[: 1 if name.startswith("gray") else 3]:
        whole = np.frombuffer(plane, samples).reshape(-1, plane.line_size // samples.itemsize)
        planes.append(whole[: plane.height, : plane.width])
    return planes, (1 << depth) - 1


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
) -> IdentityReport:
    """Checks clip(prediction + residual) == picture on every inter sample of at most `pictures`, `seconds` long."""
    report = IdentityReport()
    started = time.monotonic()
    truth = TrueDecoder(source, loop_filter)
    numbers: Dict[int, int] = {}  # packet by display index
    try:
        with open_stream(source, extraction=extraction) as stream:
            report.extraction, report.note = stream.info.extraction, stream.info.extraction_note
            for picture in _until_refused(report, stream):
                number = truth.packet_of(picture)
                report.pictures += 1
                if number is not None:
                    numbers[picture.display_index] = number
                    _check(report, picture, number, numbers, truth)
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


def _check(
    report: IdentityReport, picture: CodedPicture, number: int, numbers: Dict[int, int], truth: TrueDecoder
) -> None:
    motion = picture.motion
    if motion is None:
        report.intra_pictures += 1
        return
    report.p_pictures += picture.kind == "P"
    report.b_pictures += picture.kind == "B"
    _count(report, motion)
    residual: Any = picture.content.coded_residual()  # type: ignore[attr-defined]
    frame, own = truth.frame(number), truth.picture(number)
    if own is None or frame is None or residual is None:
        report.without_truth += 1
        return
    references: Dict[int, TruePicture] = {picture.display_index: own}
    for offset in np.unique(motion.ref_offset):
        display = picture.display_index + int(offset)
        found = truth.picture(numbers[display]) if offset and display in numbers else None
        if found is not None and found.planes[0].shape == own.planes[0].shape:
            references[display] = found
    weights = getattr(picture, "weights", None)
    prediction = predict(motion, weights, picture.display_index, references, len(own.planes))
    exempt = not motion.exact or bool(getattr(frame, "is_corrupt", False))
    report.exempt_pictures += exempt
    inter = ~motion.intra
    wrong_here = 0
    for plane, name in enumerate(PLANES[: len(own.planes)]):
        coded = residual[plane]
        side = 4 if plane == 0 else 2
        sure = (inter & prediction.known).repeat(side, axis=0).repeat(side, axis=1)
        rebuilt = np.clip(prediction.planes[plane].astype(np.int32) + coded, 0, own.maximum)
        wrong = (rebuilt != own.planes[plane]) & sure
        count, bad = int(sure.sum()), int(wrong.sum())
        report.unknown_samples += int((inter & ~prediction.known).sum()) * side * side
        if exempt:
            report.exempt_samples += count
            report.exempt_wrong += bad
        else:
            report.inter_samples += count
            report.wrong_samples += bad
            wrong_here += bad
        if bad and not (report.first_exempt_wrong if exempt else report.first_wrong):
            told = _describe(picture, name, side, wrong, rebuilt, own.planes[plane], weights)
            if exempt:
                report.first_exempt_wrong = told
            else:
                report.first_wrong = told
    report.wrong_pictures += wrong_here > 0


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
    picture: CodedPicture,
    name: str,
    side: int,
    wrong: np.ndarray,
    rebuilt: np.ndarray,
    actual: np.ndarray,
    weights: Optional[Any],
) -> str:
    """The first wrong block of a picture, with all that tells why."""
    motion = picture.motion
    assert motion is not None
    blocks = wrong.reshape(wrong.shape[0] // side, side, -1, side).any(axis=(1, 3))
    row, column = (int(v[0]) for v in np.nonzero(blocks))
    part = (slice(row * side, row * side + side), slice(column * side, column * side + side))
    told = (
        f"picture {picture.decode_index} (shown {picture.display_index}, {picture.kind}), plane {name}, "
        f"block row {row} column {column} (macroblock {row // 4}, {column // 4}): "
        f"mv {motion.mv_qpel[:, row, column].tolist()}, ref_offset {motion.ref_offset[:, row, column].tolist()}, "
        f"weighted {bool(motion.weighted[row, column])}; rebuilt {rebuilt[part].tolist()}, "
        f"actual {actual[part].tolist()}; {int(blocks.sum())} wrong blocks in it"
    )
    if weights is not None and motion.weighted[row, column]:
        told += (
            f"; weights {weights.weight[:, row, column].tolist()}, offsets {weights.offset[:, row, column].tolist()}"
        )
        told += f", denominators {weights.log2_denominator[row, column].tolist()}"
    return told
