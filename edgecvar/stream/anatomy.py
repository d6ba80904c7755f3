"""What a video's bitstream is made of: its GOPs, statistics of its vectors and residuals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional

import numpy as np

from edgecvar.errors import StreamError
from edgecvar.stream.motion import velocity
from edgecvar.stream.reader import Stream
from edgecvar.stream.types import CodedPicture, MotionField, Residual, StreamInfo, StreamSummary

RESIDUAL_EVERY = 10
"""Residual statistics take every tenth P or B picture: each costs a motion compensation."""

MEAN_SPEED = 6
"""Its place among the shares of a picture."""


@dataclass(frozen=True)
class MotionStatistics:
    """Over all shown P and B pictures, shares in 0..1 of 4 x 4 blocks, speeds in pixels a frame.

    `exact` is the share of pictures whose references are known for certain.
    """

    pictures: int
    exact: float
    intra: float
    still: float
    backward: float
    bipredicted: float
    weighted: float
    mean_speed: float
    p99_speed: float


@dataclass(frozen=True)
class ResidualStatistics:
    """Over the sampled pictures: share of luma samples that are zero, mean and largest absolute value."""

    pictures: int
    zero: float
    mean_absolute: float
    largest: int


@dataclass(frozen=True)
class Anatomy:
    """One reading of a whole stream, of its shown pictures alone; `kinds` is a letter each, in display order.

    A GOP begins at every image, or at the first picture that is shown after a hidden one. `liveliest` is the decode
    index of the P or B picture whose blocks move fastest on the mean, None without any. `residual_note` says why there
    are no residuals where the stream cannot give any.
    """

    info: StreamInfo
    kinds: str
    counts: Dict[str, int]
    keyframes: int
    gop_lengths: List[int]
    seconds: float
    motion: Optional[MotionStatistics]
    residual: Optional[ResidualStatistics]
    residual_note: str
    liveliest: Optional[int]
    summary: StreamSummary


@dataclass
class _Tally:
    kinds: Dict[int, str] = field(default_factory=dict)
    gops_at: List[int] = field(default_factory=list)  # display indices
    gop_is_due: bool = False
    keyframes: int = 0
    shares: List[List[float]] = field(default_factory=list)
    residuals: List[List[float]] = field(default_factory=list)
    residual_note: str = ""
    liveliest: Optional[int] = None
    most_motion: float = -1.0
    first: float = 0.0
    last: float = 0.0


def anatomy(stream: Stream) -> Anatomy:
    """Read a stream to its end and describe it; raises StreamError as reading does."""
    tally = _Tally()
    for picture in stream:
        _count(tally, picture)
    kinds = "".join(tally.kinds[index] for index in sorted(tally.kinds))
    return Anatomy(
        info=stream.info,
        kinds=kinds,
        counts={kind: kinds.count(kind) for kind in "IPB"},
        keyframes=tally.keyframes,
        gop_lengths=_gop_lengths(tally),
        seconds=tally.last - tally.first,
        motion=MotionStatistics(len(tally.shares), *np.mean(tally.shares, axis=0).tolist()) if tally.shares else None,
        residual=_residual_statistics(tally.residuals),
        residual_note=tally.residual_note,
        liveliest=tally.liveliest,
        summary=stream.summary,
    )


def _gop_lengths(tally: _Tally) -> List[int]:
    """Pictures of each GOP, from its first to the next one's in display order; what is before them all is in none."""
    of_each = np.searchsorted(np.sort(tally.gops_at), sorted(tally.kinds), side="right")
    return [int(pictures) for pictures in np.bincount(of_each, minlength=len(tally.gops_at) + 1)[1:]]


def _count(tally: _Tally, picture: CodedPicture) -> None:
    tally.gop_is_due = tally.gop_is_due or picture.has_image
    if not picture.shown:
        return
    if not tally.kinds:
        tally.first = tally.last = picture.pts_seconds
    tally.first, tally.last = min(tally.first, picture.pts_seconds), max(tally.last, picture.pts_seconds)
    tally.kinds[picture.display_index] = picture.kind
    tally.keyframes += picture.keyframe
    if tally.gop_is_due:
        tally.gops_at.append(picture.display_index)
        tally.gop_is_due = False
    if picture.kind == "I":
        return
    if picture.motion is not None:
        shares = _shares(picture.motion)
        tally.shares.append(shares)
        if shares[MEAN_SPEED] > tally.most_motion:
            tally.most_motion, tally.liveliest = shares[MEAN_SPEED], picture.decode_index
    if (len(tally.shares) - 1) % RESIDUAL_EVERY == 0 and not tally.residual_note:
        try:
            residual = picture.residual
        except StreamError as error:
            tally.residual_note = str(error)
            return
        if residual is not None:
            tally.residuals.append(_sample_residual(residual))


def _shares(motion: MotionField) -> List[float]:
    """In the order of MotionStatistics, but for `pictures`."""
    speed = np.hypot(*np.moveaxis(velocity(motion), -1, 0))
    used = motion.ref_offset != 0
    return [
        float(motion.exact),
        float(motion.intra.mean()),
        float((~motion.intra & (speed == 0)).mean()),
        float((motion.ref_offset > 0).any(axis=0).mean()),
        float(used.all(axis=0).mean()),
        float(motion.weighted.mean()),
        float(speed.mean()),
        float(np.percentile(speed, 99)),
    ]


def _sample_residual(residual: Residual) -> List[float]:
    size = np.abs(residual.y)
    return [float((size == 0).mean()), float(size.mean()), float(size.max())]


def _residual_statistics(rows: List[List[float]]) -> Optional[ResidualStatistics]:
    if not rows:
        return None
    zero, mean, largest = zip(*rows)
    return ResidualStatistics(len(rows), float(np.mean(zero)), float(np.mean(mean)), int(max(largest)))
