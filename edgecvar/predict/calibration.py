"""What sessions from a device say of its predictions, kept by device for the predictions to come."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Dict, List, Literal, Mapping, Tuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edgecvar.bundle.devices import Device
from edgecvar.config import mistake
from edgecvar.documents import parse_json, read_text
from edgecvar.errors import ConfigError, reason
from edgecvar.files import state_folder, whole_file
from edgecvar.predict.fitted import EngineModel

LEAST_SPREAD = 1.25
"""A corrected prediction is not taken to be nearer than this, as a factor either way."""
NEAR, FAR = 0.02, 50.0
"""Of a measured time over a predicted one: what is beyond is no correction but a mistake."""


class Calibration(BaseModel):
    """One session: its stages' measured time over that predicted, of all together (`factor`) and of each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str
    bundle: str
    precision: str
    factor: float
    stages: Dict[str, float]

    @field_validator("factor")
    @classmethod
    def _near(cls, factor: float) -> float:
        if not NEAR <= factor <= FAR:
            raise ValueError(f"a measured time is {factor:.3g} times the predicted one, which is no correction")
        return factor


class Calibrations(BaseModel):
    """All sessions of one device that count, by bundle and precision the newest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    device: str
    sessions: List[Calibration] = Field(default_factory=list, max_length=256)


def calibration_file(device: Device) -> Path:
    """Where a device's are kept: $XDG_STATE_HOME/edgecvar/devices."""
    return state_folder() / "devices" / f"{device.name}.json"


def load_calibrations(device: Device) -> Calibrations:
    """Those of a device; none where nothing was kept. Raises ConfigError for a file that is none of ours."""
    path = calibration_file(device)
    try:
        return Calibrations.model_validate(parse_json(read_text(path)))
    except FileNotFoundError:
        return Calibrations(device=device.name)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({reason(error)})") from error
    except ValueError as error:
        cause = mistake(error, Calibrations) if isinstance(error, ValidationError) else reason(error)
        raise ConfigError(f"{path}: not what --calibrate keeps: {cause}; delete it") from error


def compare(
    session: str, bundle: str, precision: str, measured: Mapping[str, float], predicted: Mapping[str, float]
) -> Calibration:
    """What one session says, milliseconds by stage; raises ConfigError where it has no stage of the bundle."""
    shared = {
        stage: measured[stage] / predicted[stage] for stage in predicted if measured.get(stage) and predicted[stage]
    }
    if not shared:
        stages = ", ".join(predicted)
        raise ConfigError(f"--calibrate {session}: it measured none of the stages {stages}; is it of another bundle?")
    # Of sums: long stages tell more of a device than those that are all launch.
    factor = sum(measured[stage] for stage in shared) / sum(predicted[stage] for stage in shared)
    try:
        return Calibration(session=session, bundle=bundle, precision=precision, factor=factor, stages=shared)
    except ValidationError as error:
        raise ConfigError(f"--calibrate {session}: {mistake(error, Calibration)}") from error


def keep(device: Device, one: Calibration) -> Path:
    """Keep it in place of an older one of the same bundle and precision; raises ConfigError where it cannot be kept."""
    path = calibration_file(device)
    others = [
        each
        for each in load_calibrations(device).sessions
        if (each.bundle, each.precision) != (one.bundle, one.precision)
    ]
    document = Calibrations(device=device.name, sessions=[*others[-255:], one])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as draft:
            draft.write_text(document.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({reason(error)}); set XDG_STATE_HOME") from error
    return path


def corrected(model: EngineModel, device: Device) -> Tuple[EngineModel, List[str]]:
    """The model as the device's sessions correct it, and those sessions."""
    sessions = load_calibrations(device).sessions
    if not sessions:
        return model, []
    factor = median(each.factor for each in sessions)
    ratios = [ratio / factor for each in sessions for ratio in (each.factor, *each.stages.values())]
    low, high = min([1 / LEAST_SPREAD, *ratios]), max([LEAST_SPREAD, *ratios])
    # The furthest of a few stages are not further than what four of five published figures left.
    spread = max(low, model.spread[0]), min(high, model.spread[1])
    return model.corrected(device.name, factor, spread), [each.session for each in sessions]
