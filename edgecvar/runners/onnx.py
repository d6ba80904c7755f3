"""A bundle's stages on ONNX Runtime's CPU engine: what runs wherever wheels can be installed."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import BundleError, DeviceError, import_reason, reason
from edgecvar.runners.layer_times import StageLayers
from edgecvar.runners.onnx_nodes import read_nodes
from edgecvar.runners.onnx_times import read_trace, trace_layers
from edgecvar.runners.runner import as_array, stepped

WEIGHT_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
SHARED = 50e6
"""Multiply-adds of a stage from which on several cores save more than it costs to hand them the parts of each layer."""


class OnnxRunner:
    """One session a stage; `threads` compute within a stage, unless given as many as pay (see `threads_for`).

    `as_written`: int8 is computed as the graph says, as it is wherever the kernels of int8 may saturate.
    """

    def __init__(
        self, bundle: Bundle, precision: str = "fp32", threads: Optional[int] = None, as_written: bool = False
    ) -> None:
        self.name = f"onnxruntime-cpu-{precision}"
        self.threads = threads
        self._bundle = bundle
        self._precision = precision
        self._as_written = as_written
        self._sessions: Dict[str, Any] = {}
        self._state = {stage.name: [each.name for each in stage.state] for stage in bundle.manifest.stages}

    def __enter__(self) -> OnnxRunner:
        onnxruntime = onnx_runtime()
        for stage in self._bundle.manifest.stages:
            file = self._bundle.stage_file(stage.name, self._precision)
            # Of the file's bytes, for these were checked, and ONNX Runtime takes no path that is not UTF-8.
            model = self._bundle.content(file)
            try:
                options = self._options(stage, model)
                session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # onnxruntime has no public parent for its errors
                version = onnxruntime.__version__
                raise BundleError(f"{file}: ONNX Runtime {version} cannot load it: {reason(error)}") from error
            _check(str(file), stage, session)
            self._sessions[stage.name] = session
        return self

    def __exit__(self, *exc: object) -> None:
        self._sessions.clear()

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        session = self._sessions[stage]
        try:
            arrays = {name: as_array(value) for name, value in inputs.items()}
            outputs = session.run(None, arrays)
        except Exception as error:  # as above
            raise BundleError(f"{self._bundle.path}: stage {stage}: {self.name} failed: {reason(error)}") from error
        return stepped(outputs, self._state[stage])

    def fetch(self, value: NDArray[np.float32]) -> NDArray[np.float32]:
        return value

    def layer_times(self, stage: str, inputs: Mapping[str, Any], runs: int) -> StageLayers:
        """As LayerClock says, in a session of its own that ONNX Runtime keeps a trace of."""
        spec = next(each for each in self._bundle.manifest.stages if each.name == stage)
        model = self._bundle.content(self._bundle.stage_file(stage, self._precision))
        try:
            arrays = {name: as_array(value) for name, value in inputs.items()}
            trace = trace_layers(onnx_runtime(), model, self._options(spec, model), arrays, runs)
            return read_trace(trace, {node.name for node in read_nodes(model)})
        except Exception as error:  # as above
            raise BundleError(f"{self._bundle.path}: stage {stage}: no times of its layers: {reason(error)}") from error

    def _options(self, stage: StageSpec, model: bytes) -> Any:
        as_written = self._precision == "int8" and (self._as_written or saturates())
        return session_options(
            self.threads or threads_for(stage, len(model) // WEIGHT_BYTES[self._precision]), as_written
        )


def onnx_runtime() -> Any:
    """The `onnxruntime` module; raises DeviceError. The one door to it, which shuts its telemetry before it loads.

    Left to itself it writes an identity and a database under the user's cache, and waits to send what it notes there.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except (ImportError, OSError) as error:
        raise DeviceError(
            f"ONNX Runtime cannot be imported: {import_reason(error)} (pip install onnxruntime brings it)"
        ) from error
    return onnxruntime


def session_options(threads: int, as_written: bool) -> Any:
    """Of a session on the CPU; `as_written`: Q/DQ is computed as the graph says, not by int8 kernels."""
    options = onnx_runtime().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Stages take turns: a pool that spins after its turn takes the core from the reader and the next stage.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if as_written:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


def threads_for(stage: StageSpec, weights: int) -> int:
    """How many threads to compute a stage on: all cores that this process may use, and one for a stage too small.

    ResNet-50 and EfficientNet-B0 use a weight at about one in 350 places of their input, within a factor of two; of
    convolutions at full resolution, such as DMC's generator, it is too little.
    """
    places = sum(math.prod(each.shape) // each.shape[0 if each.segments is None else 1] for each in stage.inputs)
    return 1 if weights * places / 350 < SHARED else usable_cores()


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def saturates(machine: Optional[str] = None, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether ONNX Runtime's int8 kernels may saturate here: on x86 without VNNI they add pairs of products in 16 bits.

    There the stages are computed as the graph says, in fp32 between Q and DQ: slower, and right.
    """
    if (machine or platform.machine()).lower() not in ("x86_64", "amd64", "i686", "i386"):
        return False
    try:
        return "vnni" not in cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True


def _check(file: str, stage: StageSpec, session: Any) -> None:
    """Names and shapes of the model are those of the manifest; raises BundleError."""
    expected, gives = stage.takes, stage.gives
    got = {tensor.name: tensor.shape for tensor in session.get_inputs()}
    if set(got) != set(expected):
        raise BundleError(
            f"{file}: inputs {', '.join(sorted(got))}, but the manifest says {', '.join(sorted(expected))}; "
            "compile the bundle again"
        )
    outputs = session.get_outputs()
    # The stage's own output comes first, under whatever name.
    if len(outputs) != len(gives) or [each.name for each in outputs[1:]] != list(gives)[1:]:
        names = ", ".join(each.name for each in outputs)
        raise BundleError(f"{file}: outputs {names}, expected {', '.join(gives)}; compile the bundle again")
    for name, shape in expected.items():
        _check_shape(f"{file}: input {name}", got[name], shape)
    for output, shape in zip(outputs, gives.values()):
        _check_shape(f"{file}: output {output.name}", output.shape, shape)


def _check_shape(where: str, got: Sequence[Any], expected: List[int]) -> None:
    # A dimension that the model leaves open is a name or None.
    fits = len(got) == len(expected) + 1 and all(
        not isinstance(have, int) or have == want for have, want in zip(got[1:], expected)
    )
    if not fits or (isinstance(got[0], int) and got[0] != 1):
        raise BundleError(f"{where}: shape {list(got)}, expected batch + {expected}; compile the bundle again")
