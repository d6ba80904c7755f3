"""A prediction as plain data: what a bundle would take on a device, layer by layer, and how far that may be wrong."""

from __future__ import annotations

import math
from typing import List, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field


class Interval(BaseModel):
    """A figure with the bounds between which four of five such figures lay where they were held against others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> Interval:
        """So many times the figure."""
        return Interval(low=self.low * factor, likely=self.likely * factor, high=self.high * factor)

    def plus(self, other: Interval) -> Interval:
        """Both bounds added: what makes one of them slow makes the other slow."""
        return Interval(low=self.low + other.low, likely=self.likely + other.likely, high=self.high + other.high)

    def rate(self) -> Interval:
        """Of milliseconds each: so many a second, most where it takes least; infinite where it takes nothing."""
        low, likely, high = (1e3 / ms if ms else math.inf for ms in (self.high, self.likely, self.low))
        return Interval(low=low, likely=likely, high=high)


class LayerTime(BaseModel):
    """One layer after fusion, and what bounds it; `multiply_adds` and `bytes` are of one row.

    `nodes`: the names of all nodes of the graph that were fused into it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str
    precision: str
    nodes: List[str]
    multiply_adds: int
    bytes: int
    ms: float
    bound: Literal["compute", "memory", "launch"]


class StageTime(BaseModel):
    """One run of a stage; `per_sample`: runs for one sampled picture, its share of what runs once a window."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    cadence: str
    per_sample: float
    ms: Interval
    layers: List[LayerTime]


class HostTime(BaseModel):
    """What runs beside the engine, in milliseconds a picture of the stream: reading, preparing, decoding I-pictures.

    `decoder`: "hardware" where the I-pictures are decoded by a decoder of its own, which then bounds by its own rate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    read: Interval
    prepare: Interval
    image: Interval
    decoder: Literal["hardware", "software", "none"]
    cores: int


class StreamShape(BaseModel):
    """The streams that the prediction is for; `gop`: pictures from one I-picture to the next."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    width: int
    height: int
    fps: float
    gop: float
    every: int
    megabits_per_second: float


RemedyKind = Literal["precision", "stride", "size", "backbone", "features", "batch"]


class Remedy(BaseModel):
    """A change and what the rate would then be, in pictures of the stream a second; `gain` is a factor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    change: str
    kind: RemedyKind
    pictures_per_second: float
    gain: float


class Prediction(BaseModel):
    """What a bundle would do on a device that is not here: a prediction, never a measurement.

    `typing`: how TensorRT takes the graph's types. `pictures_per_second`: of all streams together, sampled or not, and
    `cameras`: streams of 25 pictures a second that fit. `bottleneck`: the part that bounds the rate. `remedies`: each
    change alone; `enough`: changes one after the other until `goal` pictures a second are reached, or nothing gains any
    more. `watts`: the most that is published of the device. `calibrated`: the sessions of it that corrected this.
    `notes`: what it leaves out, in sentences.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    bundle: str
    device: str
    title: str
    precision: str
    typing: Literal["weak", "strong", "none"]
    streams: int
    stream: StreamShape
    stages: List[StageTime]
    host: HostTime
    sample_ms: Interval
    pictures_per_second: Interval
    cameras: float
    bottleneck: str
    watts: Optional[float] = None
    least_watts: Optional[float] = None
    watts_source: str = ""
    peak_gops: float
    bandwidth_gb_per_s: float
    remedies: List[Remedy] = Field(default_factory=list)
    enough: List[Remedy] = Field(default_factory=list)
    goal: Optional[float] = None
    calibrated: List[str] = Field(default_factory=list)
    fitted_on: int = 0
    notes: List[str] = Field(default_factory=list)
    median_error: Optional[float] = None
