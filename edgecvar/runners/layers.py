"""Tensors inside a stage, seen by marking them as outputs: the seam, and ONNX Runtime behind it."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Optional, Protocol, Sequence

from numpy.typing import NDArray

from edgecvar.bundle.manifest import Bundle
from edgecvar.errors import BundleError, reason
from edgecvar.runners.onnx import onnx_runtime, saturates, session_options, usable_cores
from edgecvar.runners.onnx_nodes import with_outputs

Tensors = Dict[str, NDArray[Any]]
"""By name, in the type that the engine has them in."""


class LayerProbe(Protocol):
    """Runs a stage with tensors marked as outputs, which an engine may then fuse less around."""

    def run(self, stage: str, tensors: Sequence[str], samples: Sequence[Mapping[str, Any]]) -> Iterator[Tensors]:
        """The marked tensors of each sample, as far as the engine has them; a sample is the stage's named inputs."""
        ...


class OnnxProbe:
    """A bundle's stages of one precision on ONNX Runtime's CPU engine."""

    def __init__(self, bundle: Bundle, precision: str, threads: Optional[int] = None) -> None:
        self._bundle = bundle
        self._precision = precision
        self._threads = threads or usable_cores()

    def run(self, stage: str, tensors: Sequence[str], samples: Sequence[Mapping[str, Any]]) -> Iterator[Tensors]:
        file = self._bundle.stage_file(stage, self._precision)
        options = session_options(self._threads, as_written=self._precision == "int8" and saturates())
        content = self._bundle.content(file)
        try:
            model = with_outputs(content, tensors)
            session = onnx_runtime().InferenceSession(model, options, providers=["CPUExecutionProvider"])
            for sample in samples:
                yield dict(zip(tensors, session.run(list(tensors), dict(sample))))
        except Exception as error:  # onnxruntime has no public parent for its errors
            raise BundleError(f"{file}: ONNX Runtime cannot show its tensors: {reason(error)}") from error
