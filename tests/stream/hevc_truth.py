"""The identity clip(prediction + residual) == picture for HEVC: `python -m tests.stream.hevc_truth FILE...`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Iterator, List, Optional, Tuple, Union

import av

from edgecvar.errors import EdgecvarError
from tests.stream.h264_truth import IdentityReport, check_identity
from tests.stream.hevc_prediction import TrueHevcPicture, predict
from tests.stream.true_decoder import Standard


def nal_units(data: bytes, length_size: int) -> Iterator[bytes]:
    """The NAL units of a packet, split by lengths or, where `length_size` is 0, by start codes."""
    at = 0
    if length_size:
        while at + length_size < len(data):
            end = at + length_size + int.from_bytes(data[at : at + length_size], "big")
            yield data[at + length_size : end]
            at = end
        return
    for unit in data.split(b"\0\0\1")[1:]:
        yield unit.rstrip(b"\0")


def slice_types(data: bytes, length_size: int) -> List[int]:
    """nal_unit_type of a packet's slice segments of the base layer."""
    units = [(unit[0], unit[1] >> 3) for unit in nal_units(data, length_size) if len(unit) > 2]
    kinds = [first >> 1 for first, layer in units if not (first & 1 or layer)]
    return [kind for kind in kinds if kind <= 9 or 16 <= kind <= 21]


def length_size(extradata: bytes) -> int:
    """Bytes of a NAL unit's length by an hvcC record; 0 where it is none."""
    return (extradata[21] & 3) + 1 if len(extradata) > 22 and extradata[0] == 1 else 0


HEVC = Standard(
    "hevc", length_size, lambda data, size: bool(slice_types(data, size)), TrueHevcPicture, predict, square=64
)


def check_hevc(
    source: Union[str, Path], pictures: Optional[int] = None, seconds: Optional[float] = None, ctb: int = 64
) -> IdentityReport:
    """Checks clip(prediction + residual) == picture on every inter sample; `ctb` orders what is told to be wrong."""
    return check_identity(source, pictures, seconds, standard=replace(HEVC, square=ctb))


def _tell(path: Path, report: IdentityReport, blocks: int) -> None:
    share = f"{report.percent:.4f} % of {report.inter_samples} inter samples right"
    kinds = f"{report.intra_pictures} I, {report.p_pictures} P, {report.b_pictures} B"
    print(f"{path.name}: {share}; {report.pictures} pictures ({kinds}), {report.wrong_pictures} wrong", end="")
    others = (
        "exempt_samples",
        "exempt_wrong",
        "unknown_samples",
        "without_truth",
        "order_breaks",
        "skipped",
        "damaged",
    )
    print("".join(f", {name} {getattr(report, name)}" for name in others if getattr(report, name)), end="")
    print(f"; {report.weighted_blocks} weighted, {report.both_lists} of both lists, {report.seconds:.1f} s")
    for told in (report.reasons, report.damage, report.ended_by):
        if told:
            print(f"  {told}")
    for told_block in report.wrong_blocks[:blocks]:
        print(f"  {told_block}")
    if report.exempt_wrong and not report.wrong_samples:
        print(f"  exempt: {report.first_exempt_wrong}")


def main(arguments: Optional[List[str]] = None) -> int:
    """Tells what is right of each file; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--pictures", type=int, help="so many of each file")
    parser.add_argument("--blocks", type=int, default=4, help="so many wrong blocks of the first wrong picture")
    parser.add_argument("--ctb", type=int, default=64, choices=(16, 32, 64), help="the stream's, to order them")
    options = parser.parse_args(arguments)
    sound: List[Tuple[Path, bool]] = []
    for path in options.files:
        try:
            report = check_hevc(path, options.pictures, ctb=options.ctb)
        except (EdgecvarError, av.error.FFmpegError, ValueError) as error:  # the last where there is no HEVC in it
            print(f"{path.name}: {error}")
            sound.append((path, False))
            continue
        _tell(path, report, options.blocks)
        sound.append((path, report.inter_samples > 0 and report.wrong_samples == 0))
    return int(not all(right for _, right in sound))


if __name__ == "__main__":
    raise SystemExit(main())
