"""A long file cut up at IDR pictures, so that its pieces come to what the whole would."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple, Union

from edgecvar.bundle.exits import exit_rules
from edgecvar.bundle.manifest import Manifest
from edgecvar.bundle.plan import plan_stages
from edgecvar.bundle.stages import clip_segments
from edgecvar.clips.feed import Excerpt
from edgecvar.scan.values import Listed, Piece, Work
from edgecvar.stream.clock import MAX_REORDER
from edgecvar.stream.container import open_video
from edgecvar.stream.nal.entries import packet_entries
from edgecvar.stream.reader import Stream
from edgecvar.stream.sources.opening import path_of
from edgecvar.stream.sources.seeking import Entry, Stretch
from edgecvar.stream.types import StreamInfo

CHECKED = 8
"""Decisions before a piece's own that must be, bit for bit, those of the piece before."""
FORGOTTEN = 600
"""Sampled pictures after which a network with a state is taken to have forgotten where it began; it is checked."""
SMALLEST = 1 << 20
"""Bytes below which no file is looked at for its length."""


@dataclass(frozen=True)
class _Whole:
    """What is known of a file that is to be cut: its stream, its first picture's display index, its packets."""

    info: StreamInfo
    counted_from: int
    entries: Sequence[Entry]
    packets: int


def cut(source: Listed, work: Work, manifest: Manifest) -> Union[Tuple[Piece, ...], str]:
    """The pieces of a file; none where it is not long, and a reason where it is and must be run from its beginning.

    Raises StreamError where it cannot be opened.
    """
    path = path_of(source.name)
    if work.split <= 0 or path is None or source.size < SMALLEST or not _is_long(path, work.split):
        return ()
    refused = _refused(manifest, work)
    whole = refused or _measured(path, work)
    if isinstance(whole, str):
        return whole
    every = work.every or manifest.input.every(whole.info.fps)
    pieces = _pieces(whole, round(work.split * float(whole.info.fps)), _rests_on(manifest) * every, manifest, every)
    return pieces if len(pieces) > 1 else "it has no IDR pictures where it could be cut"


def _is_long(path: Path, split: float) -> bool:
    """Whether it lasts for two pieces, as far as its container says."""
    with open_video(path) as video:
        microseconds = video.container.duration
        return microseconds is not None and microseconds / 1e6 >= 2 * split


def uncut(source: Listed, work: Work, seconds: float) -> str:
    """Why a file that turned out to last so long was not cut; empty where it is not long, or is no file here."""
    if work.split <= 0 or seconds < 2 * work.split or source.size < SMALLEST or path_of(source.name) is None:
        return ""
    return "its container does not tell beforehand how long it lasts"


def _refused(manifest: Manifest, work: Work) -> str:
    """Why nothing of this network can be known from within a file; empty where it can."""
    if plan_stages(manifest.stages).in_order and work.choice.runner == "trt":
        return "its network has a state, which TensorRT keeps to itself"
    if clip_segments(manifest.stages) > 1 and exit_rules(manifest.stages, manifest.exits, work.exits):
        return "its network looks at several pictures, of which some may leave early"
    if manifest.input.pictures != "all":
        return "which pictures are sampled depends on the kinds of all before them"
    return ""


def _measured(path: Path, work: Work) -> Union[_Whole, str]:
    with Stream(path, work.extraction, on_demand=True, threads=1) as stream:
        info = stream.info
        first = next(iter(stream), None)
    if info.extraction != "native":
        return "FFmpeg reads it, whose pictures rest on all before them"
    if first is None or not first.shown or not first.has_image:
        return "it does not begin with a picture that is shown"
    entries, packets = packet_entries(path)
    if not entries or entries[0].number:
        return "its IDR pictures cannot be found again for certain"
    return _Whole(info, first.display_index, entries, packets)


def _history(manifest: Manifest) -> int:
    """Sampled pictures before one that its own scores may rest on."""
    longest = (max((tensor.segments or 1 for tensor in stage.inputs), default=1) for stage in manifest.stages)
    remembered = FORGOTTEN if plan_stages(manifest.stages).in_order else 0
    return remembered + sum(segments - 1 for segments in longest)


def _rests_on(manifest: Manifest) -> int:
    """Sampled pictures before a piece that are run for it: history, consensus, those that are compared."""
    return _history(manifest) + manifest.input.consensus + CHECKED + 2


def _pieces(whole: _Whole, length: int, before: int, manifest: Manifest, every: int) -> Tuple[Piece, ...]:
    """`length`, `before`: pictures of a piece, and before it of which samples are needed."""
    numbers = [entry.number for entry in whole.entries]
    begins = _begins(numbers, whole.packets, length)
    # A window's neighbour, and turns that I-pictures pass on.
    settling = every + manifest.input.gop_length + 2 * MAX_REORDER
    pieces: List[Piece] = []
    for number, (begin, end) in enumerate(zip(begins, [*begins[1:], whole.packets])):
        sampled_from = max(0, begin - before - MAX_REORDER)
        entry = whole.entries[max(0, bisect_right(numbers, max(0, sampled_from - settling)) - 1)]
        pieces.append(
            Piece(
                number=number,
                count=len(begins),
                begin=begin,
                stretch=Stretch(entry, end - entry.number),
                excerpt=Excerpt(whole.counted_from - entry.number, sampled_from - entry.number),
                info=whole.info,
            )
        )
    return tuple(pieces)


def _begins(numbers: Sequence[int], packets: int, length: int) -> List[int]:
    """The IDR pictures that pieces of at least so many pictures begin with; the last may be half as long."""
    begins = [0]
    for number in numbers:
        if number - begins[-1] >= length and packets - number >= length // 2:
            begins.append(number)
    return begins
