"""A source read for some seconds: what it sends, how evenly, and what its settings should be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError, UnsupportedCodecError
from edgecvar.stream.live.absence import Patience
from edgecvar.stream.live.stream import LiveStream
from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources.attempt import Attempt
from edgecvar.stream.sources.opening import source_name
from edgecvar.stream.types import CodedPicture, StreamInfo

LONGEST_GOP = 2.2
"""Seconds between I-pictures up to which nothing is said."""
_PROFILES = {66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2"}
_HEVC_PROFILES = {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"}
_FULL_HD, _MOST_RATE = 1920 * 1088, 31.0
_TOGETHER = 0.001
"""Seconds within which packets are parts of one picture."""
_BURST = 0.05
"""Seconds within which pictures came together, as those do that FFmpeg looked at before it gave the first."""


@dataclass(frozen=True)
class SourceTrial:
    """What a source sent in `seconds` from its first picture on.

    `first_seconds`: from the beginning to its first I-picture. `rate`: pictures a second, by their times. `gop` is the
    longest run from one I-picture to the next, in pictures, 0 where there was no second one. `jitter_ms`: how far the
    time between two arrivals is from even, of 95 in 100; `longest_ms` the longest such time. `note` is how it is read
    where there is something to say. `changes`: what to set otherwise in the camera, in sentences.
    """

    info: StreamInfo
    note: str
    profile: str
    seconds: float
    first_seconds: float
    pictures: int
    rate: float
    gop: int
    b_pictures: int
    jitter_ms: float
    longest_ms: float
    bits_per_second: float
    changes: Tuple[str, ...]


@dataclass
class _Seen:
    """What was seen of the pictures, in decode order."""

    profile: str = ""
    times: List[float] = field(default_factory=list)
    kinds: List[str] = field(default_factory=list)

    def push(self, picture: CodedPicture) -> None:
        if picture.parsed is not None and not self.profile:
            number = picture.parsed.sequence.profile_idc
            self.profile = {**_PROFILES, **_HEVC_PROFILES}.get(number, f"profile {number}")
        self.times.append(picture.pts_seconds)
        self.kinds.append("I" if picture.has_image else picture.kind)


def try_source(
    uri: str, seconds: float, timeout: float, see: Callable[[CodedPicture], None] = lambda picture: None
) -> SourceTrial:
    """Reads a URI for so long; raises StreamError where it cannot be opened, or gives no picture.

    `see` is called with each picture.
    """
    notes: List[str] = []
    began = time.perf_counter()
    first: Optional[float] = None
    seen = _Seen()
    opening = partial(open_stream, timeout=timeout, on_demand=True)
    try:
        with LiveStream(uri, opening, Patience(reconnect=False, late=None), notes.append) as stream:
            info = stream.info
            for picture in stream:
                seen.push(picture)
                see(picture)
                now = time.perf_counter()
                if first is None and picture.has_image:
                    first = now
                if first is not None and now - first >= seconds:
                    break
            attempt = stream.attempt
    except UnsupportedCodecError as error:
        choose = "of a camera choose H.264 (AVC), or H.265 (HEVC) in 4:2:0, in its settings"
        raise UnsupportedCodecError(f"{error}; {choose}") from error
    if first is None:
        raise StreamError(f"{source_name(uri)}: no I-picture came in {seconds:g} s; set a shorter GOP in the camera")
    note = "; ".join(line[len(f"{source_name(uri)}: ") :] for line in notes)
    return _told(info, note, seen, attempt, (first - began, time.perf_counter() - first))


def _told(info: StreamInfo, note: str, seen: _Seen, attempt: Attempt, measured: Tuple[float, float]) -> SourceTrial:
    first_seconds, seconds = measured
    span = max(seen.times) - min(seen.times)
    # Of those that were displayed last some are missing, where pictures are reordered.
    rate = 1 / float(np.median(np.diff(np.sort(seen.times)))) if span > 0 else float(info.fps)
    steps = _steps(list(attempt.arrivals))
    shown = np.argsort(seen.times, kind="stable")
    places = [place for place, picture in enumerate(shown) if seen.kinds[picture] == "I"]
    gop = max((after - before for before, after in zip(places, places[1:])), default=0)
    b_pictures = seen.kinds.count("B")
    return SourceTrial(
        info=info,
        note=note,
        profile=seen.profile,
        seconds=seconds,
        first_seconds=first_seconds,
        pictures=len(seen.kinds),
        rate=rate,
        gop=gop,
        b_pictures=b_pictures,
        jitter_ms=float(np.percentile(np.abs(steps - 1 / rate), 95)) * 1000,
        longest_ms=float(steps.max()) * 1000,
        bits_per_second=8 * attempt.received / span if span > 0 else 0.0,
        changes=tuple(_changes(info, rate, gop, bool((np.diff(seen.times) < 0).any()), span)),
    )


def _steps(arrivals: List[float]) -> NDArray[np.float64]:
    """The times between arrivals, but for those that came together."""
    steady = np.array([arrival for arrival in arrivals if arrival - arrivals[0] > _BURST])
    steps = np.diff(steady)
    apart = steps[steps > _TOGETHER]
    return apart if apart.size else np.zeros(1)


def _changes(info: StreamInfo, rate: float, gop: int, reordered: bool, span: float) -> List[str]:
    changes = []
    if reordered:  # B-pictures that look back alone, as of HEVC's low delay, cost nothing
        how = "Baseline profile, or low latency" if info.codec == "h264" else "low latency"
        changes.append(f"B-pictures off ({how}): a picture waits for all that is displayed before it")
    if not gop and span > LONGEST_GOP:
        changes.append(f"an I-picture every 1 to 2 s (GOP, I-frame interval): there was no second one in {span:.0f} s")
    elif gop / rate > LONGEST_GOP:
        changes.append(
            f"an I-picture every 1 to 2 s (GOP, I-frame interval {round(rate)} to {round(2 * rate)}), not "
            f"{gop / rate:.1f} s: for so long nothing is decided after a gap"
        )
    if info.width * info.height > _FULL_HD:
        changes.append("the substream, or a smaller size: no network sees more than some 300 pixels a side")
    if rate > _MOST_RATE:
        changes.append(f"15 to 30 pictures a second, not {rate:.0f}: all have to be read, few are sampled")
    if info.extraction != "native":
        changes.append(f"progressive H.264 or H.265 in 4:2:0, which need not be decoded whole ({info.extraction_note})")
    return changes
