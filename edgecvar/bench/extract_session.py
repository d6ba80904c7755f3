"""A comparison of ways to get vectors, as plain data, and the figures worth reading in it (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Dict, List, Literal, Optional, Sequence

from pydantic import BaseModel, ConfigDict, Field

NATIVE = "native"
RESIDUALS = "native_residuals"
IMAGES = "native_images"
EXPORTED = "exported"
DECODE = "decode"
MV_EXTRACTOR = "mv_extractor"
WAYS = (NATIVE, RESIDUALS, IMAGES, EXPORTED, DECODE, MV_EXTRACTOR)
"""In the order in which they are shown."""
EXPORTING = (EXPORTED, MV_EXTRACTOR)
"""Ways that rest on vectors that FFmpeg exports, which it does not of HEVC."""
BASES = {"h264": EXPORTED, "hevc": DECODE}
"""By codec, what ratios are to: of HEVC there is but FFmpeg's plain decoding."""
LARGE = 720
"""Luma samples that the shorter side of a "720p and larger" picture has at least."""


class ClipTimes(BaseModel):
    """One file, of a codec of BASES: by way, the pictures it gave, and the CPU seconds of every round.

    `pictures` are those of the bitstream, by which all ways are measured that are given the same packets; `inter` of
    them are P and B. `wall_seconds` are those that parsing alone takes on one thread and on several, by their number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    codec: Literal["h264", "hevc"]
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    profile: str
    pictures: int = Field(gt=0)
    inter: int = Field(gt=0)
    damaged: int = 0
    given: Dict[str, int]
    cpu_seconds: Dict[str, List[float]]
    wall_seconds: Dict[str, List[float]] = Field(default_factory=dict)

    @property
    def base(self) -> str:
        """The way that ratios are to."""
        return BASES[self.codec]

    @property
    def large(self) -> bool:
        return min(self.width, self.height) >= LARGE

    def rates(self, way: str) -> List[float]:
        """Pictures a second of CPU time, round by round; empty where the way was not measured."""
        pictures = self.given[way] if way == MV_EXTRACTOR else self.pictures
        return [pictures / seconds for seconds in self.cpu_seconds.get(way, [])]

    def rate(self, way: str) -> Optional[float]:
        """The median of the rounds."""
        return median(self.rates(way)) if self.cpu_seconds.get(way) else None

    def ratios(self, way: str) -> List[float]:
        """The rate over that of the codec's base, round by round."""
        return [rate / base for rate, base in zip(self.rates(way), self.rates(self.base))]

    def ratio(self, way: str) -> Optional[float]:
        """The median of the rounds' ratios."""
        return median(self.ratios(way)) if self.cpu_seconds.get(way) else None

    def gains(self) -> Dict[str, float]:
        """By a number of threads, how many times as fast as one: the median of the rounds' ratios."""
        alone = self.wall_seconds.get("1", [])
        others = {threads: seconds for threads, seconds in self.wall_seconds.items() if threads != "1"}
        return {threads: median(one / each for one, each in zip(alone, seconds)) for threads, seconds in others.items()}


class LeftOut(BaseModel):
    """A file that is not in the figures, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    reason: str


class ExtractSession(BaseModel):
    """All files measured, all left out, and the ways there were; `absent` says why one was not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = 2
    rounds: int
    picture_limit: int
    machine: Dict[str, str]
    ways: List[str]
    absent: Dict[str, str] = Field(default_factory=dict)
    clips: List[ClipTimes]
    left_out: List[LeftOut] = Field(default_factory=list)


@dataclass(frozen=True)
class Across:
    """One way's ratios to the base of one codec over several files."""

    files: int
    median: float
    smallest: float
    smallest_path: str


@dataclass(frozen=True)
class ExtractSummary:
    """By way: over all files, and over those of 720p and larger; ways that no such file has are not in it."""

    all: Dict[str, Across]
    large: Dict[str, Across]


def summarise_extract(session: ExtractSession) -> Dict[str, ExtractSummary]:
    """What the files say together, by codec: ratios of one to another base do not add up."""
    summaries = {}
    for codec in BASES:
        clips = [clip for clip in session.clips if clip.codec == codec]
        if clips:
            large = [clip for clip in clips if clip.large]
            summaries[codec] = ExtractSummary(_across(session.ways, clips), _across(session.ways, large))
    return summaries


def _across(ways: Sequence[str], clips: Sequence[ClipTimes]) -> Dict[str, Across]:
    across = {}
    for way in ways:
        rated = [(clip.ratio(way), clip.path) for clip in clips]
        ratios = [(ratio, path) for ratio, path in rated if ratio is not None]
        if ratios:
            smallest, path = min(ratios)
            across[way] = Across(len(ratios), median(ratio for ratio, _ in ratios), smallest, path)
    return across
