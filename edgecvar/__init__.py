"""Action recognition on compressed video: `load` a bundle to run it, `open_stream` to read what a video is made of."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from edgecvar.errors import EdgecvarError as EdgecvarError
    from edgecvar.run.decisions import Decision as Decision
    from edgecvar.run.decisions import RunSummary as RunSummary
    from edgecvar.run.model import Model as Model
    from edgecvar.run.model import Run as Run
    from edgecvar.run.model import load as load
    from edgecvar.stream.reader import Stream as Stream
    from edgecvar.stream.reader import open_stream as open_stream
    from edgecvar.stream.types import Break as Break
    from edgecvar.stream.types import CodedPicture as CodedPicture
    from edgecvar.stream.types import MotionField as MotionField
    from edgecvar.stream.types import PredictionWeights as PredictionWeights
    from edgecvar.stream.types import Residual as Residual
    from edgecvar.stream.types import StreamInfo as StreamInfo
    from edgecvar.stream.types import StreamSummary as StreamSummary

__version__ = "0.1.0"

# Imported when they are first asked for: `edgecvar --help` must not wait for numpy.
_HOMES = {
    "load": "run.model",
    "Model": "run.model",
    "Run": "run.model",
    "Decision": "run.decisions",
    "RunSummary": "run.decisions",
    "open_stream": "stream.reader",
    "Stream": "stream.reader",
    "StreamInfo": "stream.types",
    "StreamSummary": "stream.types",
    "CodedPicture": "stream.types",
    "Break": "stream.types",
    "MotionField": "stream.types",
    "PredictionWeights": "stream.types",
    "Residual": "stream.types",
    "EdgecvarError": "errors",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"edgecvar.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'edgecvar' has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted(__all__)
