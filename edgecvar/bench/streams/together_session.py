"""What streams that run at the same time came to, as plain data (pure)."""

from __future__ import annotations

from typing import Dict, List, Literal, Optional, Tuple

from pydantic import BaseModel, ConfigDict, Field

WayTogether = Literal["batches", "one by one"]


class TogetherTrial(BaseModel):
    """One way for `seconds`, after the warm-up.

    `fewest` and `most`: decisions of a stream. `read_ms`, `sent_ms`: p50, p90 and p99 of what a decision waited since
    its packet was read, and since the camera sent it, where that is known. `launches` of stages went through in
    `batches`. `machine_busy`: the part of the machine's processor that was taken by anyone, `load` its load average at
    the end. `resident_bytes`: before and after. `threads`: of all streams.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    way: WayTogether
    seconds: float = Field(gt=0)
    decisions: int
    fewest: int
    most: int
    read_ms: Tuple[float, float, float]
    sent_ms: Optional[Tuple[float, float, float]]
    batches: int
    launches: int
    cpu_seconds: float
    machine_busy: Optional[float]
    load: float
    resident_bytes: Tuple[int, int]
    peak_bytes: int
    threads: int

    @property
    def decisions_per_second(self) -> float:
        return self.decisions / self.seconds

    @property
    def fairness(self) -> float:
        """Decisions of the stream with the fewest, to those of the stream with the most."""
        return self.fewest / self.most if self.most else 0.0

    @property
    def batch(self) -> float:
        """Launches in a batch."""
        return self.launches / self.batches if self.batches else 0.0

    @property
    def growth(self) -> float:
        """Of the memory, from before to after."""
        before, after = self.resident_bytes
        return after / before - 1


class TogetherSession(BaseModel):
    """Both ways on one machine, in turn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    bundle: str
    untrained: bool
    runner: str
    precision: str
    sources: List[str]
    streams: int
    max_batch: int
    cores: int
    machine: Dict[str, str]
    trials: List[TogetherTrial] = Field(min_length=1)
