"""Stages to TensorRT engines by torch2trt, layer by layer from torch's own calls, in place of the ONNX files.

torch2trt (NVIDIA-AI-IOT/torch2trt) builds weakly typed networks with TensorRT's precision flags, and leaves TF32 on and
no layer in fp32 on purpose: whether a stage bears that is for the parity check to say.
"""

from __future__ import annotations

import copy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Optional

import torch

from edgecvar.bundle.engines import BuiltStage, EngineKey, write_engines
from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import CompileError, reason
from edgecvar.files import sha256_of
from edgecvar.nets.network import Network
from edgecvar.progress import Progress, silent
from edgecvar.runners.choice import refuse_torch2trt
from edgecvar.runners.tensorrt.api import generation_of, installed_version
from edgecvar.runners.tensorrt.cuda import gpu_title

if TYPE_CHECKING:
    import tensorrt as trt

DEVICE = "cuda"
WORKSPACE_BYTES = 512 << 20
SOURCE = "https://github.com/NVIDIA-AI-IOT/torch2trt"


def engine_key(precision: Precision, dla: Optional[int] = None) -> EngineKey:
    """What torch2trt would build for here; raises CompileError that says what is missing and where it comes from.

    Raises ConfigError where it builds no such stages.
    """
    refuse_torch2trt(precision, dla)
    if find_spec("torch2trt") is None:
        raise CompileError(
            f"--converter torch2trt: torch2trt is not installed; the package index has not got it, it comes from "
            f"{SOURCE} (its README says how to install it); or leave --converter out"
        )
    version = installed_version()
    if generation_of(version) == "11":
        raise CompileError(
            f"--converter torch2trt: it needs TensorRT below 11, and this is {version}, which has no precision flags "
            "any more; leave --converter out"
        )
    if not torch.cuda.is_available():
        raise CompileError(
            f"--converter torch2trt: torch {torch.__version__} sees no CUDA device, and engines are built on the "
            "device that runs them; run this there, with a torch that has CUDA, or leave --converter out"
        )
    device = torch.cuda.get_device_properties(0)
    return EngineKey(
        sm=f"sm{device.major}{device.minor}",
        gpu=gpu_title(device.name, device.multi_processor_count),
        tensorrt=version,
        precision=precision,
        converter="torch2trt",
    )


def convert_stages(
    network: Network,
    bundle: Bundle,
    precision: Precision,
    max_batch: int = 1,
    progress: Progress = silent,
) -> Path:
    """Build the engines of every stage of `bundle`, which was compiled from `network`, and put them into it whole.

    Returns their folder. The engines count as made of the bundle's ONNX files of that precision, so that they are
    rebuilt when those change. Raises CompileError and BundleError.
    """
    key = engine_key(precision)
    engines: Dict[str, BuiltStage] = {}
    log: List[str] = []
    for spec in bundle.manifest.stages:
        progress(0, 0, f"torch2trt {spec.name}")
        onnx_file = bundle.stage_file(spec.name, precision)
        engine = _convert(network.stage(spec.name), spec, key, max_batch)
        engines[spec.name] = BuiltStage(engine=engine, onnx_sha256=sha256_of(onnx_file))
        log.append(f"{spec.name}: {len(engine)} bytes by torch2trt, batches up to {max_batch}")
    return write_engines(bundle.path, key, engines, "\n".join(log) + "\n", max_batch)


def _convert(module: torch.nn.Module, spec: StageSpec, key: EngineKey, max_batch: int) -> bytes:
    """One stage's serialised engine, its tensors named as in `spec`; raises CompileError."""
    import torch2trt

    # A copy: torch2trt leaves hooks behind, and the network goes on being used on the CPU.
    stage = copy.deepcopy(module).eval().to(DEVICE)
    inputs = [torch.zeros(max_batch, *shape, device=DEVICE) for shape in spec.takes.values()]
    try:
        with torch.no_grad():
            converted = torch2trt.torch2trt(
                stage,
                inputs,
                input_names=list(spec.takes),
                output_names=list(spec.gives),
                fp16_mode=key.precision == "fp16",
                max_batch_size=max_batch,
                max_workspace_size=WORKSPACE_BYTES,
                keep_network=False,
            )
    except Exception as error:  # its converters fail in ways of their own, one for each torch call
        raise CompileError(
            f"stage {spec.name}: torch2trt cannot convert it with TensorRT {key.tensorrt} "
            f"({type(error).__name__}: {reason(error)}); leave --converter out"
        ) from error
    engine: Optional[trt.ICudaEngine] = converted.engine
    if engine is None:
        raise CompileError(
            f"stage {spec.name}: TensorRT {key.tensorrt} built no engine of what torch2trt gave it; "
            "its reason is on the terminal; leave --converter out"
        )
    return bytes(engine.serialize())
