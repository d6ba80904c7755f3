"""TensorRT engines of a new bundle, built where it was compiled and compared with torch like every other stage."""

from __future__ import annotations

from typing import Dict, Mapping, Sequence

from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.compile.config import CompileConfig
from edgecvar.compile.parity import check_stage
from edgecvar.errors import ConfigError
from edgecvar.judge.parity import Recording
from edgecvar.nets.network import Network
from edgecvar.progress import Progress
from edgecvar.runners.choice import RunnerChoice, engine_precisions, make_runner, missing_for_tensorrt


def choose_engines(config: CompileConfig, precisions: Sequence[Precision]) -> Dict[Precision, RunnerChoice]:
    """The engines that `config` asks for, by precision; raises ConfigError or CompileError where none can be built."""
    if not config.engines and config.converter == "onnx":
        return {}
    missing = missing_for_tensorrt()
    if missing:
        raise ConfigError(
            f"engines are built on the device that runs them, and {' and '.join(missing)} cannot be imported here: "
            "leave --engines and --converter out, copy the bundle, and let `edgecvar build` make them there"
        )
    able = engine_precisions(precisions, config.dla, config.converter)
    if config.converter == "torch2trt":
        from edgecvar.compile.torch2trt import engine_key

        for precision in able:
            engine_key(precision, config.dla)
    shared = {"runner": "trt", "device": config.device, "dla": config.dla, "converter": config.converter}
    shared["max_batch"] = config.max_batch
    return {each: RunnerChoice.model_validate({**shared, "precision": each}) for each in able}


def build_engines_here(
    engines: Mapping[Precision, RunnerChoice],
    bundle: Bundle,
    network: Network,
    reference: Recording,
    progress: Progress,
) -> None:
    """Build engines into the bundle; raises CompileError where a stage of theirs differs from torch."""
    for precision, choice in engines.items():
        if choice.converter == "torch2trt":
            from edgecvar.compile.torch2trt import convert_stages

            convert_stages(network, bundle, precision, max_batch=choice.max_batch or 1, progress=progress)
        progress(0, 0, f"build engines in {precision}")
        with make_runner(bundle, choice) as runner:
            for spec in bundle.manifest.stages:
                progress(0, 0, f"compare {spec.name} in {precision} on TensorRT")
                check_stage(spec, reference, runner, precision, batch=choice.max_batch or 1)
