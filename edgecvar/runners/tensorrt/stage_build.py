"""One ONNX stage to a TensorRT engine: parsed, given its precision, built, with what the builder had to say."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence, Set, TextIO

from edgecvar.bundle.engines import BuiltStage
from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import CompileError
from edgecvar.runners.onnx_nodes import read_nodes
from edgecvar.runners.tensorrt.api import DlaParsing, limit_workspace
from edgecvar.runners.tensorrt.log import BuildLog
from edgecvar.runners.tensorrt.onnx_weights import plain_weights
from edgecvar.runners.tensorrt.options import Build
from edgecvar.runners.tensorrt.precision import WeakTyping, float32_layers
from edgecvar.terminal import printable

if TYPE_CHECKING:
    import tensorrt as trt

MIB = 1 << 20


class StageBuild:
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
        model = self._build.bundle.content(self._file)
        typing = self._typing
        self._log.add("EDGECVAR", f"{self._file.name}: {typing.__name__}")
        weak = issubclass(typing, WeakTyping)
        int8 = self._build.key.precision == "int8"
        if int8 and not weak and self._file == self._build.bundle.stage_file(self._stage.name, "int8"):
            self._say("older than int8 for TensorRT 11: all between int8 layers runs in fp32; compile the bundle again")
        wide = self._wide(logger) if weak else None
        network: trt.INetworkDefinition = self._parsed(self._file, model, logger)
        _mark_outputs(network, marked)
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
        network: trt.INetworkDefinition = self._parsed(file, bundle.content(file), logger)
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
        # For times by layer: without it the inspector has names alone, which tell neither type nor kernel.
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        # Of one alone, as it is most of the time, and of several: each is built for its own largest.
        for most in [1, options.max_batch][: 1 + (options.max_batch > 1)]:
            profile: trt.IOptimizationProfile = self._builder.create_optimization_profile()
            for name, shape in self._stage.takes.items():
                profile.set_shape(name, (1, *shape), (most, *shape), (most, *shape))
            if config.add_optimization_profile(profile) < 0:
                raise CompileError(
                    f"{self._file}: batches of 1 to {most} are not possible: {self._log.last_error()}; "
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


def _mark_outputs(network: trt.INetworkDefinition, names: Sequence[str]) -> None:
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
