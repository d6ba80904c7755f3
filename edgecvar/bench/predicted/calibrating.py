"""A session from a device held against what was predicted for it, and kept for the predictions to come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Dict

from edgecvar.bench.session import Session, load_session
from edgecvar.bundle.devices import find_device
from edgecvar.errors import ConfigError
from edgecvar.predict.calibration import Calibration, compare, keep
from edgecvar.predict.engines import call_ms
from edgecvar.predict.fitted import fitted_model
from edgecvar.predict.predictor import PredictConfig, case_of
from edgecvar.terminal import printable


def calibrate(path: Path, config: PredictConfig) -> Calibration:
    """Keep what a saved session of `config`'s bundle says of its device; raises EdgecvarError where it says nothing."""
    session = load_session(path)
    device = find_device(config.device)
    got = session.machine.get("device", "nothing")
    if got != device.title:
        raise ConfigError(
            f"--calibrate {path}: measured on {printable(got)}, not on {device.title}; give the session of the device "
            f"named with --for"
        )
    if session.precision not in device.precisions:
        raise ConfigError(
            f"--calibrate {path}: measured in {session.precision}, which {device.title} has not; give a session of it"
        )
    if not session.runner.startswith("tensorrt"):
        raise ConfigError(
            f"--calibrate {path}: measured with {session.runner}; what corrects is measured with TensorRT"
        )
    case = case_of(config.model_copy(update={"precision": session.precision}))
    if session.seal and session.seal != case.bundle.manifest.seal:
        raise ConfigError(
            f"--calibrate {path}: measured with another bundle than {case.bundle.path}; name that one with --bundle"
        )
    model = replace(fitted_model(), corrections={})
    predicted = {work.spec.name: call_ms(work.layers, case.target.gpu, model).likely for work in case.works}
    found = compare(printable(path.name), printable(case.bundle.name), session.precision, stage_ms(session), predicted)
    keep(device, found)
    return found


def stage_ms(session: Session) -> Dict[str, float]:
    """Median milliseconds of each stage's calls with nothing else going on, by stage."""
    spans = session.stages_alone.spans_ms
    return {
        name[len("stage:") :]: median(times) for name, times in spans.items() if name.startswith("stage:") and times
    }
