"""What a session holds beside times by name: when each span was, layers of an engine, and the board's own readings."""

from __future__ import annotations

from typing import Dict, List, Optional

from pydantic import BaseModel, ConfigDict, Field

MOMENTS = 4000
"""Spans that a session keeps with their times; a trace file has them all."""


class Moment(BaseModel):
    """One span of the run: its name, the thread and stream that it was in, when it began (since the run's) and took.

    `picture`: decode index of the picture that it was for, where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    thread: str
    stream: str = ""
    picture: Optional[int] = None
    start_ms: float
    ms: float


class ObservedLayer(BaseModel):
    """One layer of an engine as its own profiler and inspector give it: the median of its times over `runs`.

    `nodes`: the nodes of the ONNX graph that it holds, as far as the engine tells them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str = ""
    precision: str = ""
    tactic: str = ""
    nodes: List[str] = Field(default_factory=list)
    ms: float


class ObservedStage(BaseModel):
    """The layers of one stage; `complaint` says why there are none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    runs: int = 0
    layers: List[ObservedLayer] = Field(default_factory=list)
    complaint: str = ""


class Reading(BaseModel):
    """What the board said at one time: clocks in MHz, temperatures in degrees Celsius and watts, by their names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_seconds: float
    clocks_mhz: Dict[str, float] = Field(default_factory=dict)
    celsius: Dict[str, float] = Field(default_factory=dict)
    watts: Dict[str, float] = Field(default_factory=dict)
    load: Dict[str, float] = Field(default_factory=dict)


class Board(BaseModel):
    """The board while it was measured: idle before, loaded meanwhile; `advice` in sentences, such as to lock clocks.

    `settled_seconds`: of warm-up until the clocks stood still, None where they cannot be read.
    `joules_per_decision`: (loaded - idle watts) over decisions a second, None below 30 s or without a sensor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    power_mode: str = ""
    clocks_locked: Optional[bool] = None
    settled_seconds: Optional[float] = None
    idle: List[Reading] = Field(default_factory=list)
    loaded: List[Reading] = Field(default_factory=list)
    throttled: str = ""
    joules_per_decision: Optional[float] = None
    advice: List[str] = Field(default_factory=list)
