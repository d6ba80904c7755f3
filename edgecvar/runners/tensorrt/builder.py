"""ONNX stages to TensorRT engines: parsed, built and kept in the bundle, with what the builder had to say."""

from __future__ import annotations

import hashlib
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Sequence, Set, TextIO, Type

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bundle.devices import require_dla_in
from edgecvar.bundle.engines import (
    BuiltStage,
    Converter,
    EngineKey,
    read_timings,
    require_writable,
    write_engines,
    write_timings,
)
from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import CompileError, ConfigError
from edgecvar.interrupts import held_interrupt
from edgecvar.runners.onnx_nodes import read_nodes
from edgecvar.runners.tensorrt.api import DlaParsing, Generation, generation_of, limit_workspace
from edgecvar.runners.tensorrt.log import BuildLog, logger_into
from edgecvar.runners.tensorrt.onnx_weights import plain_weights
from edgecvar.runners.tensorrt.precision import FileTyping, Typing, WeakTyping, float32_layers, typing_of
from edgecvar.terminal import printable

if TYPE_CHECKING:
    import tensorrt as trt

MIB = 1 << 20


class TensorRtOptions(BaseModel):
    """How TensorRT builds and runs a bundle.

    `overlap`: stages that do not wait for each other run at once; without it each launch is waited for, so that the
    stages can be timed. `dla`: the DLA core to build for. `gpu_index`: CUDA's number of the GPU. `workspace_mib`:
    scratch memory of the builder's tactics.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Precision = "fp16"
    overlap: bool = True
    dla: Optional[int] = Field(None, ge=0)
    max_batch: int = Field(1, ge=1)
    converter: Converter = "onnx"
    cuda_graphs: bool = True
    gpu_index: int = Field(0, ge=0)
    workspace_mib: int = Field(512, ge=16)


@dataclass(frozen=True)
class Build:
    """What is built for: the bundle, the key of its engines and the options."""

    bundle: Bundle
    key: EngineKey
    options: TensorRtOptions

    @property
    def generation(self) -> Generation:
        return generation_of(self.key.tensorrt)

    @property
    def typing(self) -> Type[Typing]:
        return typing_of(self.generation, self.key.precision, self.key.dla)

    def file(self, stage: str) -> Path:
        """The ONNX file that a stage's engine is made of; raises BundleError where there is none."""
        return self.bundle.stage_file(stage, self.key.precision, issubclass(self.typing, FileTyping))


def check_options(version: str, options: TensorRtOptions) -> None:
    """Refuse, before anything is built, what no device can do with that TensorRT; raises ConfigError."""
    if options.dla is None:
        return
    require_dla_in(version)
    if options.precision == "fp32":
        raise ConfigError("a DLA core computes in fp16 or int8 only: ask for --precision fp16, or leave --dla out")
    if options.precision == "int8" and generation_of(version) != "11":
        raise ConfigError(
            "TensorRT before 11 cannot run explicitly quantised (Q/DQ) stages on a DLA core: "
            "ask for --precision fp16, or leave --dla out"
        )
    if options.max_batch != 1:
        raise ConfigError(f"a DLA core wants one fixed batch size: {options.max_batch} asked for, 1 is possible")


def build_engines(build: Build, why: str, progress: Optional[TextIO] = None) -> Path:
    """Build every stage's engine and put them into the bundle whole; the folder. Raises CompileError, BundleError."""
    check_options(build.key.tensorrt, build.options)
    require_writable(build.bundle.path)
    progress = progress or sys.stderr
    root, key, stages = build.bundle.path, build.key, build.bundle.manifest.stages
    print(printable(f"{why}: building {len(stages)} for {key.folder}; minutes each on a small device"), file=progress)
    log = BuildLog()
    logger = logger_into(log)
    builder: trt.Builder = _builder(build, logger, log)
    timings = read_timings(root, key.sm, key.tensorrt)
    engines: Dict[str, BuiltStage] = {}
    for number, stage in enumerate(stages, 1):
        print(printable(f"  {number}/{len(stages)} {stage.name}"), file=progress, flush=True)
        one = _StageBuild(build, stage, builder, log, progress)
        with _late_interrupt(progress):
            engines[stage.name] = one.run(logger, timings)
        timings = one.timings
    folder = write_engines(root, key, engines, log.text, build.options.max_batch)
    if timings:
        write_timings(root, key.sm, key.tensorrt, timings)
    print(printable(f"  kept in {folder}"), file=progress)
    return folder


def _builder(build: Build, logger: trt.ILogger, log: BuildLog) -> trt.Builder:
    import tensorrt as trt

    try:
        builder: trt.Builder = trt.Builder(logger)
    except (TypeError, RuntimeError) as error:
        version = build.key.tensorrt
        raise CompileError(f"TensorRT {version} cannot start its builder: {log.last_error()} ({error})") from error
    _check_dla(builder, build.options.dla)
    return builder


@contextmanager
def _late_interrupt(progress: TextIO) -> Iterator[None]:
    """Ctrl-C waits for the end of the block, and a second one for nothing.

    TensorRT calls the logger, where Python would raise KeyboardInterrupt, and swallows what a logger raises.
    """

    def react() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        print("      stopping when this engine is built; Ctrl-C again: at once", file=progress, flush=True)

    with held_interrupt(react):
        yield


def _check_dla(builder: trt.Builder, core: Optional[int]) -> None:
    if core is not None and core >= builder.num_DLA_cores:
        raise ConfigError(
            f"no DLA core {core}: this device has {builder.num_DLA_cores} that this TensorRT can use; leave --dla out"
        )


class _StageBuild:
    """One stage on its way to an engine; `timings` is the timing cache afterwards."""

    def __init__(self, build: Build, stage: StageSpec, builder: trt.Builder, log: BuildLog, progress: TextIO) -> None:
        self.timings = b""
        self._build = build
        self._stage = stage
        self._builder: trt.Builder = builder
        self._log = log
        self._progress = progress
        self._file = build.file(stage.name)
        self._typing = build.typing

    def run(self, logger: trt.ILogger, timings: bytes, marked: Sequence[str] = ()) -> BuiltStage:
        """The engine; tensors that are `marked` are outputs too, as far as they are there. Raises CompileError."""
        model = self._file.read_bytes()
        typing = self._typing
        self._log.add("EDGECVAR", f"{self._file.name}: {typing.__name__}")
        weak = issubclass(typing, WeakTyping)
        int8 = self._build.key.precision == "int8"
        if int8 and not weak and self._file == self._build.bundle.stage_file(self._stage.name, "int8"):
            self._say("older than int8 for TensorRT 11: all between int8 layers runs in fp32; compile the bundle again")
        wide = self._wide(logger) if weak else None
        network: trt.INetworkDefinition = self._parsed(self._file, model, logger)
        mark_outputs(network, marked)
        config: trt.IBuilderConfig = self._builder.create_builder_config()
        self._configure(network, config)
        full = typing.set_precision(network, config, self._build.key.precision, wide)
        if full:
            self._say(f"{full} of {network.num_layers} layers stay fp32")
        if self._build.key.dla is not None:
            # What a DLA can run depends on the precision.
            self._use_dla(network, config, self._build.key.dla)
        self._attach(config, timings)
        plan = self._serialised(network, config)
        self.timings = bytes(config.get_timing_cache().serialize())
        return BuiltStage(engine=plan, onnx_sha256=hashlib.sha256(model).hexdigest())

    def _wide(self, logger: trt.ILogger) -> Optional[Set[str]]:
        """For int8, what the fp16 file of the stage keeps in fp32, by name; None where the stage's own file tells."""
        bundle = self._build.bundle
        if self._build.key.precision != "int8":
            return None
        if "fp16" not in bundle.precisions:
            self._say("the bundle has no fp16 stages to tell which sums need fp32: all layers but int8 stay fp32")
            return None
        file = bundle.stage_file(self._stage.name, "fp16")
        network: trt.INetworkDefinition = self._parsed(file, file.read_bytes(), logger)
        layers: List[trt.ILayer] = float32_layers(network)
        return {layer.name for layer in layers}

    def _say(self, line: str) -> None:
        self._log.add("EDGECVAR", line)
        print(printable(f"      {line}"), file=self._progress, flush=True)

    def _parsed(self, file: Path, model: bytes, logger: trt.ILogger) -> trt.INetworkDefinition:
        """The network of an ONNX file; raises CompileError."""
        import tensorrt as trt

        flags = self._typing.network_flags()
        network: trt.INetworkDefinition = self._builder.create_network(flags)
        parser: trt.OnnxParser = trt.OnnxParser(network, logger)
        if self._build.key.dla is not None and self._build.generation == "11":
            DlaParsing.adjust(parser)
        try:
            model = plain_weights(model)
        except ValueError as broken:
            raise CompileError(f"{file}: not an ONNX file as edgecvar writes them: {broken}") from broken
        if parser.parse(model, path=str(file)):
            return network
        errors: List[trt.ParserError] = [parser.get_error(index) for index in range(parser.num_errors)]
        for error in errors:
            self._log.add("PARSER", error.desc())
        causes = "; ".join(_describe(error, model) for error in errors[:3]) or self._log.last_error()
        raise CompileError(f"{file}: TensorRT {self._build.key.tensorrt} cannot read it: {causes}")

    def _configure(self, network: trt.INetworkDefinition, config: trt.IBuilderConfig) -> None:
        import tensorrt as trt

        options = self._build.options
        limit_workspace(self._build.generation, config, options.workspace_mib * MIB)
        # fp32 is what the other precisions are compared with: TF32 would round it to 10 bits.
        config.clear_flag(trt.BuilderFlag.TF32)
        profile: trt.IOptimizationProfile = self._builder.create_optimization_profile()
        for tensor in self._stage.inputs:
            least, most = (1, *tensor.shape), (options.max_batch, *tensor.shape)
            profile.set_shape(tensor.name, least, most, most)
        if config.add_optimization_profile(profile) < 0:
            raise CompileError(
                f"{self._file}: batches of 1 to {options.max_batch} are not possible: {self._log.last_error()}; "
                "compile the bundle again with a batch that is open"
            )

    def _use_dla(self, network: trt.INetworkDefinition, config: trt.IBuilderConfig, core: int) -> None:
        import tensorrt as trt

        for index in range(network.num_inputs):
            # A DLA takes no open dimensions, not even one whose profile leaves no choice, as `can_run_on_DLA` sees it.
            tensor: trt.ITensor = network.get_input(index)
            tensor.shape = (1, *tuple(tensor.shape)[1:])
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = core
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
        layers: List[trt.ILayer] = [network.get_layer(index) for index in range(network.num_layers)]
        on_gpu = [layer for layer in layers if not config.can_run_on_DLA(layer)]
        self._say(f"DLA core {core}: {len(layers) - len(on_gpu)} of {len(layers)} layers; on the GPU:")
        for layer in on_gpu:
            self._say(f"  {layer.name} ({layer.type.name})")

    def _attach(self, config: trt.IBuilderConfig, timings: bytes) -> None:
        """Give the builder what it has measured before; what another driver measured is left behind."""
        cache: trt.ITimingCache = config.create_timing_cache(timings)
        if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
            self._say("the timing cache does not fit this device any more: measuring anew")
            config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)

    def _serialised(self, network: trt.INetworkDefinition, config: trt.IBuilderConfig) -> bytes:
        plan: Optional[trt.IHostMemory] = None
        cause = ""
        try:
            plan = self._builder.build_serialized_network(network, config)
        except (RuntimeError, MemoryError) as error:
            cause = f" ({error})"
        if plan is None:
            errors = " ".join(self._log.errors[-3:]).lower()
            hint = (
                "out of memory: close other programs (the desktop too) or add swap, and run again"
                if "memory" in errors or "alloc" in errors or cause == " ()"
                else "try --precision fp32 to see whether the precision is to blame, and report it with this line"
            )
            raise CompileError(
                f"{self._file}: TensorRT {self._build.key.tensorrt} cannot build it: "
                f"{self._log.last_error()}{cause}; {hint}"
            )
        return bytes(plan)


def mark_outputs(network: trt.INetworkDefinition, names: Sequence[str]) -> None:
    """Make outputs of tensors of floats, by name."""
    import tensorrt as trt

    own = {network.get_output(index).name for index in range(network.num_outputs)} if names else set()
    wanted = set(names) - own
    for place in range(network.num_layers if wanted else 0):
        layer: trt.ILayer = network.get_layer(place)
        for index in range(layer.num_outputs):
            tensor: trt.ITensor = layer.get_output(index)
            if tensor.name in wanted and tensor.dtype in (trt.DataType.FLOAT, trt.DataType.HALF):
                network.mark_output(tensor)


def build_marked(build: Build, stage: StageSpec, marked: Sequence[str], log: BuildLog) -> bytes:
    """An engine of one stage with more of its tensors as outputs, kept nowhere; raises CompileError, BundleError."""
    logger = logger_into(log)
    builder: trt.Builder = _builder(build, logger, log)
    timings = read_timings(build.bundle.path, build.key.sm, build.key.tensorrt)
    with _late_interrupt(sys.stderr):
        return _StageBuild(build, stage, builder, log, sys.stderr).run(logger, timings, marked).engine


def _describe(error: trt.ParserError, model: bytes) -> str:
    """A parser's error with its node's name and operator, and a hint where one is known."""
    text = " ".join(error.desc().split())[:200]
    try:
        nodes = read_nodes(model)
    except ValueError:
        return f"{text} (not a whole ONNX file: compile the bundle again)"
    number = error.node()
    where = f"node {number}"
    if 0 <= number < len(nodes):
        where = f"node {nodes[number].name!r} ({nodes[number].operator})"
    lowered = text.lower()
    if "no importer" in lowered or "unsupported" in lowered or "plugin" in lowered:
        return f"{where}: {text} (this TensorRT has no such operator: --runner onnx runs it on the CPU)"
    if "opset" in lowered:
        return f"{where}: {text} (compile the bundle again with this edgecvar: it keeps to opset 17, on 11 to 19)"
    return f"{where}: {text}"
