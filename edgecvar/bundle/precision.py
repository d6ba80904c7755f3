"""Precisions, and the record of how a bundle's int8 stages were made."""

from __future__ import annotations

from typing import List, Literal, Optional, Tuple

from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: Tuple[Precision, ...] = ("fp32", "fp16", "int8")

Method = Literal["entropy", "percentile", "minmax"]


class KeptLayer(BaseModel):
    """A layer that stays fp16 in the int8 stages.

    `loss`: what it alone costs when it is int8, the mean Kullback-Leibler divergence of the class probabilities from
    fp32's, in nats. `gain`: bytes that its weights would save in int8; 0 where they are stored as int8 all the same,
    and only the layer computes in fp16.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    layer: str
    loss: float
    gain: int


class UnpaidLayer(BaseModel):
    """A layer that stays fp16 because int8 does not pay: `ms`, what a sampled picture would take more with it in int8.

    0 where it is as fast either way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    layer: str
    ms: float


class TimedChoice(BaseModel):
    """What the choice of layers takes on a device, as predicted: milliseconds a sampled picture.

    `int8_ms`, `fp16_ms`: with every layer in int8, and in fp16. `unpaid`: layers that are no faster in int8, whatever
    they cost of the decisions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    ms: float
    int8_ms: float
    fp16_ms: float
    unpaid: List[UnpaidLayer] = Field(default_factory=list)


class Int8Record(BaseModel):
    """Calibration and mixed precision search: enough to make the same int8 stages again.

    `data`: the data set as it was named. `clips`, `samples`: what calibrated. `inputs_sha256`: of the prepared inputs
    of calibration and search, in order. `losses`: what was tried, with the loss of each (mean Kullback-Leibler
    divergence, nats). `max_drop`: largest allowed share, in percent, of search samples whose decision differs from
    fp32's, as compile/int8/search.py measures it; None without a search. `drop`: the share reached, on `searched`
    samples. `timed`: where the time on a device was weighed, what came of it; its layers in fp16 are not in `kept`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    clips: List[str]
    samples: int
    inputs_sha256: str
    method: Method
    losses: List[Tuple[Method, float]]
    max_drop: Optional[float] = Field(None, ge=0, le=100)
    drop: float
    searched: int
    kept: List[KeptLayer] = Field(default_factory=list)
    timed: Optional[TimedChoice] = None
