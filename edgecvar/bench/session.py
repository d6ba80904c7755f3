"""A measurement as plain data: saved as JSON, rendered whenever."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Literal, Optional, Sequence, Type

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edgecvar.bench.observed import Board, Moment, ObservedStage
from edgecvar.bundle.exits import ExitRecord, ExitShares
from edgecvar.config import mistake
from edgecvar.documents import MEBIBYTE, parse_json, read_text
from edgecvar.errors import ConfigError, reason
from edgecvar.files import whole_file
from edgecvar.predict.prediction import Prediction

SESSION_BYTES = 256 * MEBIBYTE
"""At most: every span of every picture is in it."""
LEAST, MOST = 1e-12, 1e12
"""Of what is measured and counted: quotients of such figures are numbers, which JSON can state."""


def _plausible(value: float) -> float:
    if value and not LEAST <= value <= MOST:
        raise ValueError(f"{value:g} is no plausible figure, expected 0, or {LEAST:g} to {MOST:g}")
    return value


def _plausible_times(times: List[float]) -> List[float]:
    return [_plausible(time) for time in times]


def _plausible_spans(spans: Dict[str, List[float]]) -> Dict[str, List[float]]:
    return {name: _plausible_times(times) for name, times in spans.items()}


class Phase(BaseModel):
    """One part of a measurement: spans in milliseconds by name, and what went through meanwhile.

    `cpu_seconds`: of all threads of the process; 0 where it was not asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wall_seconds: float
    cpu_seconds: float = 0.0
    pictures: int
    sampled: int
    decisions: int
    spans_ms: Dict[str, List[float]]
    latency_ms: List[float] = Field(default_factory=list)

    _plausible = field_validator("wall_seconds", "cpu_seconds", "pictures", "sampled", "decisions")(_plausible)
    _plausible_times = field_validator("latency_ms")(_plausible_times)
    _plausible_spans = field_validator("spans_ms")(_plausible_spans)


class Turn(BaseModel):
    """One turn on the same pictures: what the run took, and what decoding all of them did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: int
    seconds: float
    cpu_seconds: float
    decode_seconds: float
    decode_cpu_seconds: float

    _plausible = field_validator("pictures", "seconds", "cpu_seconds", "decode_seconds", "decode_cpu_seconds")(
        _plausible
    )


class Against(BaseModel):
    """Every picture decoded on `threads`, one pass of `stage` a sampled one: in turn with the run, and all together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    threads: int
    turns: List[Turn] = Field(min_length=1)
    decode: Phase


class Session(BaseModel):
    """Warm-up, the run itself, and the same stage calls with nothing else going on (`stages_alone`).

    `against`: what the run was compared with, where that was asked for. `moments`: the first spans of the run with
    their times. `layers` and `board`: what an engine and a Jetson say of themselves. `prediction`: what was predicted
    for this machine or device, to be seen beside. `flow`: the sources of each stage, as the manifest has them, and
    `seal` that of the manifest. `exits`: where pictures left early, and `exit_record` what the manifest says of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    bundle: str
    untrained: bool
    runner: str
    precision: str
    source: str
    width: int
    height: int
    stream_fps: float
    every: int
    extraction: str = ""
    machine: Dict[str, str]
    warm_up: Phase
    run: Phase
    stages_alone: Phase
    against: Optional[Against] = None
    moments: List[Moment] = Field(default_factory=list)
    layers: List[ObservedStage] = Field(default_factory=list)
    board: Optional[Board] = None
    prediction: Optional[Prediction] = None
    flow: Dict[str, List[str]] = Field(default_factory=dict)
    seal: str = ""
    exits: Optional[ExitShares] = None
    exit_record: Optional[ExitRecord] = None

    _plausible = field_validator("stream_fps")(_plausible)


def merged(phases: Sequence[Phase]) -> Phase:
    """Several phases as one: counts and times added, spans one after the other."""
    names = [name for phase in phases for name in phase.spans_ms]
    return Phase(
        wall_seconds=sum(phase.wall_seconds for phase in phases),
        cpu_seconds=sum(phase.cpu_seconds for phase in phases),
        pictures=sum(phase.pictures for phase in phases),
        sampled=sum(phase.sampled for phase in phases),
        decisions=sum(phase.decisions for phase in phases),
        spans_ms={name: [ms for phase in phases for ms in phase.spans_ms.get(name, [])] for name in names},
        latency_ms=[ms for phase in phases for ms in phase.latency_ms],
    )


class SideBySide(BaseModel):
    """Several bundles and precisions, measured in turn on one source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    sessions: List[Session] = Field(min_length=2)


def save_session(session: Session, path: Path) -> None:
    """Write the session as JSON, whole or not at all; raises ConfigError where that cannot be done."""
    save_sessions([session], path)


def save_sessions(sessions: Sequence[Session], path: Path) -> None:
    """Write what was measured as `save_session` does: a session, or several as one document."""
    document = sessions[0] if len(sessions) == 1 else SideBySide(sessions=list(sessions))
    try:
        with whole_file(path) as draft:
            draft.write_text(document.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({reason(error)}); choose another with --save") from error


def load_session(path: Path) -> Session:
    """Read a saved session; raises ConfigError when it is not one."""
    sessions = load_sessions(path)
    if len(sessions) > 1:
        raise ConfigError(
            f"{path}: {len(sessions)} sessions side by side, expected one; measure one bundle in one precision"
        )
    return sessions[0]


def load_sessions(path: Path) -> List[Session]:
    """Read what `save_sessions` has written; raises ConfigError when it is nothing such."""
    model: Type[BaseModel] = Session
    try:
        document = parse_json(read_text(path, SESSION_BYTES))
        if isinstance(document, dict) and "sessions" in document:
            model = SideBySide
            return SideBySide.model_validate(document).sessions
        return [Session.model_validate(document)]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({reason(error)})") from error
    except ValueError as error:
        cause = mistake(error, model) if isinstance(error, ValidationError) else reason(error)
        raise ConfigError(f"{path}: not a session saved by `edgecvar bench`: {cause}") from error
