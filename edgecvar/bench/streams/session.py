"""What many streams at a time came to, as plain data, and what it says (pure)."""

from __future__ import annotations

from statistics import median
from typing import Dict, List, Literal, Optional, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field

LATE = 1.0
"""Seconds after its picture that a decision may come."""
DRIFT = 1.0
"""Seconds a minute by which decisions may come later and later: more, and a longer trial would end too late."""
BUSY = 0.85
"""Of the cores: with so much of them taken, they are what limits."""

WayName = Literal["reading", "decoding"]


class Trial(BaseModel):
    """So many streams at a time. `seconds`: how long was measured, less than asked for where it was broken off.

    `latest_seconds`: of a decision after its picture. `drift`: by how much later decisions come, seconds a minute.
    `left_out`: pictures that were there for `LATE` seconds when it was broken off, and had not been read. `cpu_seconds`
    are those of all `processes`, as is their memory: before their streams were opened, and at the end. `machine_busy`:
    the part of the machine's processor that was taken by anyone, None where the system does not tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    streams: int = Field(ge=1)
    processes: int = Field(ge=1)
    seconds: float = Field(gt=0)
    decisions: int
    latest_seconds: float
    drift: float
    left_out: int
    cpu_seconds: float
    loaded_bytes: int
    resident_bytes: int
    machine_busy: Optional[float] = None

    @property
    def holds(self) -> bool:
        return self.latest_seconds <= LATE and self.drift <= DRIFT and not self.left_out

    @property
    def cpu_per_stream_second(self) -> float:
        return self.cpu_seconds / (self.seconds * self.streams)

    @property
    def bytes_per_stream(self) -> float:
        """What a stream adds to processes that have loaded everything."""
        return max(0, self.resident_bytes - self.loaded_bytes) / self.streams

    def busy(self, cores: int) -> float:
        """The part of so many cores that it took."""
        return self.cpu_seconds / (self.seconds * cores)


def drift_of(lateness: Sequence[Tuple[float, float]], seconds: float) -> float:
    """Seconds a minute between the medians of the first and last third; of (moment, lateness), moments from 0 on."""
    first = [late for moment, late in lateness if moment < seconds / 3]
    last = [late for moment, late in lateness if moment >= seconds * 2 / 3]
    if not first or not last:
        return 0.0
    return (median(last) - median(first)) / (seconds * 2 / 3) * 60


class Way(BaseModel):
    """One way, and all that was tried of it, in turn. `ended`: why no more were tried, though more might hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: WayName
    trials: List[Trial] = Field(min_length=1)
    ended: str = ""

    @property
    def best(self) -> Optional[Trial]:
        """The most streams that hold; None where not even one does."""
        return max((trial for trial in self.trials if trial.holds), key=lambda trial: trial.streams, default=None)

    @property
    def streams(self) -> int:
        return 0 if self.best is None else self.best.streams

    @property
    def too_many(self) -> Optional[Trial]:
        """The fewest streams that did not hold, however often they were tried."""
        more = [trial for trial in self.trials if not trial.holds and trial.streams > self.streams]
        return min(more, key=lambda trial: trial.streams, default=None)

    def limit(self, cores: int) -> str:
        """What keeps more of them from holding."""
        trial = self.too_many
        if trial is None:
            return self.ended
        if trial.left_out or trial.latest_seconds > LATE:
            how = f"{trial.streams} come {trial.latest_seconds:.1f} s late"
        else:
            how = f"{trial.streams} fall {trial.drift:.1f} s a minute behind"
        busy = trial.busy(cores)
        if busy >= BUSY:
            return f"the processor, {busy:.0%} busy: {how}"
        if (trial.machine_busy or 0.0) >= BUSY:
            return f"the processor, of which other programs left {busy:.0%}: {how}"
        return f"not the processor, {busy:.0%} busy, but the engine or Python's lock: {how}"


class Camera(BaseModel):
    """A file that stands for a camera, of which one of `every` pictures is sampled.

    `gop_seconds`: from one keyframe to the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    width: int
    height: int
    fps: float = Field(gt=0)
    every: int
    gop_seconds: float


class StreamsSession(BaseModel):
    """Both ways on one machine; `stage` is what looks at decoded pictures, `seconds` what a trial measures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    bundle: str
    untrained: bool
    runner: str
    precision: str
    stage: str
    seconds: float
    cores: int
    cameras: List[Camera]
    machine: Dict[str, str]
    reading: Way
    decoding: Way
