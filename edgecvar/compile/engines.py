"""TensorRT engines of a new bundle, built where it was compiled and compared with torch like every other stage."""

from __future__ import annotations

from typing import List, Sequence

from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.compile.int8.search import Progress
from edgecvar.compile.parity import check_stage
from edgecvar.compile.subject import CompileConfig
from edgecvar.errors import ConfigError
from edgecvar.judge.parity import Recording
from edgecvar.nets.network import Network
from edgecvar.runners.choice import RunnerChoice, engine_precisions, make_runner, missing_for_tensorrt


def check_engines_possible(config: CompileConfig, precisions: Sequence[Precision]) -> List[Precision]:
    """The precisions to build engines of; raises ConfigError or CompileError where none can be built here."""
    if not config.engines and config.converter == "onnx":
        return []
    missing = missing_for_tensorrt()
    if missing:
        raise ConfigError(
            f"engines are built on the device that runs them, and {' and '.join(missing)} cannot be imported here: "
            "leave --engines and --converter out, copy the bundle, and let `edgecvar run` build them there"
        )
    able = engine_precisions(precisions, config.dla, config.converter)
    if config.converter == "onnx":
        return able
    if config.dla is not None:
        raise ConfigError("--dla: torch2trt builds for the GPU alone; leave it or --converter out")
    from edgecvar.compile.torch2trt import engine_key

    for precision in able:
        engine_key(precision)
    return able


def build_engines_here(
    config: CompileConfig,
    bundle: Bundle,
    network: Network,
    recorded: Recording,
    precisions: Sequence[Precision],
    progress: Progress,
) -> None:
    """Build the engines of `precisions` into the bundle; raises CompileError where a stage differs from torch."""
    for precision in precisions:
        if config.converter == "torch2trt":
            from edgecvar.compile.torch2trt import convert_stages

            convert_stages(network, bundle, precision, step=lambda what: progress(0, 0, what))
        choice = RunnerChoice(
            runner="trt", precision=precision, device=config.device, dla=config.dla, converter=config.converter
        )
        progress(0, 0, f"build engines in {precision}")
        with make_runner(bundle, choice) as runner:
            for spec in bundle.manifest.stages:
                progress(0, 0, f"compare {spec.name} in {precision} on TensorRT")
                # Engines are built for one sample at a time.
                check_stage(spec, recorded, runner, precision, batched=False)
