"""Which runner runs a bundle, at which precision: asked for by name, or the best that this machine has."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, List, Literal, Optional, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bundle.devices import detect_device, find_device, require_dla, require_precision
from edgecvar.bundle.engines import Converter
from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.errors import BundleError, ConfigError
from edgecvar.runners.layers import LayerProbe, OnnxProbe
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.runners.runner import Runner

if TYPE_CHECKING:
    from edgecvar.runners.tensorrt.options import TensorRtOptions

Engine = Literal["onnx", "trt"]
LARGEST_BATCH = 64


class RunnerChoice(BaseModel):
    """What may be asked of a runner; a verb's configuration adds its own fields.

    `runner`: "auto" is TensorRT where it can be imported, else ONNX Runtime. `precision`: by default fp32 on ONNX
    Runtime, and fp16 on TensorRT where the bundle has it. `threads`: of ONNX Runtime. For TensorRT: `device`, where it
    is not the one detected; `dla`, the core to run on; `converter`, whose engines; `overlap`, whether independent
    stages may compute side by side, which leaves single stages without a true time. `max_batch`: launches of several
    streams that may go through a stage as one; engines are built for so many. None: one, or as a station says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runner: Literal["auto", "onnx", "trt"] = "auto"
    precision: Optional[Precision] = None
    threads: Optional[int] = Field(None, ge=1, le=1024)
    device: Optional[str] = None
    dla: Optional[int] = Field(None, ge=0)
    converter: Converter = "onnx"
    overlap: bool = True
    max_batch: Optional[int] = Field(None, ge=1, le=LARGEST_BATCH)


def missing_for_tensorrt() -> List[str]:
    """The packages that TensorRT needs and this Python has not."""
    return [package for package in ("tensorrt", "pycuda") if find_spec(package) is None]


def require_tensorrt() -> None:
    """Raises ConfigError, with what is missing, where TensorRT cannot be used."""
    missing = missing_for_tensorrt()
    if missing:
        raise ConfigError(
            f"TensorRT was asked for, and {' and '.join(missing)} cannot be imported here. JetPack brings TensorRT, "
            "and pip install 'edgecvar[device]' the rest; on a workstation it is 'edgecvar[gpu]'"
        )


def resolve(bundle: Bundle, choice: RunnerChoice) -> Tuple[Engine, Precision]:
    """Engine and precision that `choice` comes to here; raises ConfigError or BundleError where it cannot be had."""
    missing = missing_for_tensorrt()
    if choice.runner == "trt":
        require_tensorrt()
    engine: Engine = "trt" if choice.runner == "trt" or (choice.runner == "auto" and not missing) else "onnx"
    if engine == "onnx":
        refuse_tensorrt_options(choice)
    elif choice.threads is not None:
        raise ConfigError(
            "--threads: for ONNX Runtime alone, and the runner here is TensorRT; leave it out, or ask for --runner onnx"
        )
    default: Precision = "fp16" if engine == "trt" and "fp16" in bundle.precisions else "fp32"
    precision = choice.precision or default
    require_stages(bundle, precision)
    return engine, precision


def require_stages(bundle: Bundle, precision: Precision) -> None:
    """Raises BundleError, naming what there is, where the bundle has no stages of that precision."""
    if precision not in bundle.precisions:
        raise BundleError(
            f"{bundle.path}: no {precision} stages in this bundle; it has {', '.join(bundle.precisions) or 'none'}. "
            f"Make them on a workstation with `edgecvar compile --precision {precision}`"
        )


def engine_precisions(precisions: Sequence[Precision], dla: Optional[int], converter: Converter) -> List[Precision]:
    """Those that engines can be built in; raises ConfigError where there are none.

    No DLA computes in fp32, and none that a device here has takes Q/DQ; torch2trt does not read it.
    """
    able: List[Precision] = [
        each for each in precisions if each == "fp16" or (dla is None and (each == "fp32" or converter == "onnx"))
    ]
    if not able:
        raise ConfigError(f"a DLA core computes in fp16, and there is only {', '.join(precisions) or 'nothing'}")
    return able


def make_runner(bundle: Bundle, choice: RunnerChoice) -> Runner:
    """The runner that `choice` comes to, still to be entered; raises ConfigError or BundleError."""
    engine, precision = resolve(bundle, choice)
    if engine == "onnx":
        return OnnxRunner(bundle, precision, threads=choice.threads)
    if choice.converter != "onnx" and bundle.signed_by is not None:
        raise ConfigError(
            f"--converter {choice.converter}: its engines are made of a checkpoint, not of the ONNX files that are "
            "signed, and only what is signed is trusted; leave it or --trust out"
        )
    from edgecvar.runners.tensorrt.runner import TensorRtRunner

    return TensorRtRunner(bundle, _tensorrt_options(choice, precision))


def make_probe(bundle: Bundle, choice: RunnerChoice) -> LayerProbe:
    """What looks inside the stages of the runner that `choice` comes to; raises ConfigError or BundleError."""
    engine, precision = resolve(bundle, choice)
    if engine == "onnx":
        return OnnxProbe(bundle, precision, choice.threads)
    if choice.converter != "onnx":
        raise ConfigError("--layers: engines of torch2trt have no layers to look at; leave it or --converter out")
    from edgecvar.runners.tensorrt.layers import TensorRtProbe

    return TensorRtProbe(bundle, _tensorrt_options(choice, precision))


def _tensorrt_options(choice: RunnerChoice, precision: Precision) -> TensorRtOptions:
    """Raises ConfigError where the device, or what made the engines, has no such thing."""
    from edgecvar.runners.tensorrt.options import TensorRtOptions

    if choice.converter == "torch2trt":
        refuse_torch2trt(precision, choice.dla)
    device = detect_device() if choice.device is None else find_device(choice.device)
    if device.name != "cpu":  # a workstation's GPU is in no table
        require_precision(device, precision)
        if choice.dla is not None:
            require_dla(device, choice.dla)
    return TensorRtOptions(
        precision=precision,
        overlap=choice.overlap,
        dla=choice.dla,
        max_batch=choice.max_batch or 1,
        converter=choice.converter,
    )


def refuse_torch2trt(precision: Precision, dla: Optional[int] = None) -> None:
    """Raises ConfigError, with what to ask for instead, where torch2trt builds no such engines."""
    if dla is not None:
        raise ConfigError("--dla: torch2trt builds for the GPU alone; leave it or --converter out")
    if precision == "int8":
        raise ConfigError(
            "--precision int8: torch2trt builds no int8 stages, which are quantised in the ONNX file; "
            "ask for --precision fp16, or leave --converter out"
        )


def refuse_tensorrt_options(choice: RunnerChoice) -> None:
    """Raises ConfigError where something is asked of TensorRT that only it has; for runs without it."""
    flags = [
        flag
        for flag, is_set in (
            ("--device", choice.device is not None),
            ("--dla", choice.dla is not None),
            ("--converter", choice.converter != "onnx"),
        )
        if is_set
    ]
    if flags:
        raise ConfigError(f"{' and '.join(flags)}: for TensorRT alone, and the runner here is ONNX Runtime")
