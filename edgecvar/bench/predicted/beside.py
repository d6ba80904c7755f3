"""A session with what was predicted of it beside, where something can be predicted here."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from edgecvar.bench.predicted.here import predict_here
from edgecvar.bench.session import Session
from edgecvar.bundle.devices import detect_device
from edgecvar.errors import EdgecvarError
from edgecvar.predict.hardware import predicted_devices
from edgecvar.predict.prediction import Prediction
from edgecvar.predict.predictor import PredictConfig, predict


def with_prediction(session: Session, bundle: Path, source: str, threads: Optional[int] = None) -> Session:
    """The session as it is where nothing can be predicted, as on a machine that was not measured."""
    try:
        prediction = _prediction(session, bundle, source, threads)
    except EdgecvarError:
        return session
    return session if prediction is None else session.model_copy(update={"prediction": prediction})


def _prediction(session: Session, bundle: Path, source: str, threads: Optional[int]) -> Optional[Prediction]:
    device = detect_device().name
    config = PredictConfig(
        device=device, bundle=bundle, source=source, precision=session.precision, every=session.every, goal=None
    )
    if session.runner.startswith("onnxruntime"):
        return predict_here(config, threads)
    return predict(config) if device in predicted_devices() else None
