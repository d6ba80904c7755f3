"""A bundle's stages on TensorRT: a stream a stage, values that stay on the device, events between them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Set, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.engines import EngineKey, read_engine, why_build
from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import BundleError, DeviceError
from edgecvar.runners.layer_times import StageLayers
from edgecvar.runners.onnx_nodes import read_nodes
from edgecvar.runners.runner import stepped
from edgecvar.runners.tensorrt.api import Execution, Generation, execution_of, generation_of, installed_version
from edgecvar.runners.tensorrt.builder import build_engines
from edgecvar.runners.tensorrt.cuda import CudaDevice, GraphDriver, download, new_stream, page_locked
from edgecvar.runners.tensorrt.layer_times import timed_layers
from edgecvar.runners.tensorrt.log import BuildLog, logger_into
from edgecvar.runners.tensorrt.memory import DeviceValue, StageMemory
from edgecvar.runners.tensorrt.options import Build, TensorRtOptions, check_options
from edgecvar.runners.tensorrt.stage import DeviceStage, check_tensors
from edgecvar.terminal import say

if TYPE_CHECKING:
    import pycuda.driver as driver
    import tensorrt as trt


class TensorRtRunner:
    """Runs engines of the bundle, which are built where it has none for this device and version.

    Building the object touches no device. Entering it opens CUDA and raises DeviceError, CompileError or BundleError.
    """

    def __init__(self, bundle: Bundle, options: Optional[TensorRtOptions] = None) -> None:
        self.options = options or TensorRtOptions()
        self.name = f"tensorrt-{self.options.precision}"
        self._bundle = bundle
        self._device: Optional[CudaDevice] = None
        self._downloads: Optional[driver.Stream] = None
        self._runtime: Optional[trt.Runtime] = None
        self._stages: Dict[str, DeviceStage] = {}
        self._arrivals: Dict[Tuple[str, str], NDArray[np.float32]] = {}
        self._log = BuildLog()
        self._onnx: Dict[str, Path] = {}
        self._hashes: Dict[str, str] = {}

    def __enter__(self) -> TensorRtRunner:
        try:
            self._open()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        device, self._device = self._device, None
        if device is None:
            return
        try:
            with device.current("closing TensorRT"):
                self._release()
        except DeviceError:
            # What went wrong first is what the user must see.
            if not any(exc):
                raise
        finally:
            device.__exit__()

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        """Start a stage; raises DeviceError where it cannot, BundleError where the inputs are not the stage's."""
        with self._opened().current(f"stage {stage}"):
            launched = self._stages[stage]
            values = launched.launch(inputs)
            if not self.options.overlap:
                values[-1].buffer.written.synchronize()
        return stepped(values, [each.name for each in launched.memory.stage.state])

    def fetch(self, value: DeviceValue) -> NDArray[np.float32]:
        """Wait for a launched value; float32 (B, *shape). Raises DeviceError."""
        with self._opened().current(f"stage {value.stage}"):
            downloads = self._downloads
            if downloads is None:
                raise DeviceError(f"stage {value.stage}: the runner was left, and its values with it")
            # A stream of its own: the producer's may already be at work on the next picture.
            downloads.wait_for_event(value.buffer.written)
            arrival = self._arrivals[value.stage, value.tensor][: value.batch]
            download(arrival, value.rows, downloads)
            downloads.synchronize()
            return arrival.copy()

    def layer_times(self, stage: str, inputs: Mapping[str, Any], runs: int) -> StageLayers:
        """As LayerClock says; raises DeviceError, or BundleError where the inputs are not the stage's.

        Not run on a device yet.
        """
        with self._opened().current(f"layers of stage {stage}"):
            tally, inspected = self._stages[stage].time_layers(inputs, runs)
        return timed_layers(tally, inspected, self._nodes(stage))

    def _nodes(self, stage: str) -> Set[str]:
        """Names of the nodes that the stage's engine was made of; none where its file cannot be read."""
        try:
            return {node.name for node in read_nodes(self._bundle.content(self._onnx[stage]))}
        except (BundleError, ValueError):
            return set()

    def _opened(self) -> CudaDevice:
        if self._device is None:
            raise DeviceError(f"{self.name}: used outside its `with` block")
        return self._device

    def _open(self) -> None:
        version = installed_version()
        check_options(version, self.options)
        device = CudaDevice(self.options.gpu_index)
        self._device = device.__enter__()
        options = self.options
        key = EngineKey(
            sm=device.sm,
            gpu=device.gpu,
            tensorrt=version,
            precision=options.precision,
            converter=options.converter,
            dla=options.dla,
        )
        self.name = f"tensorrt-{'.'.join(version.split('.')[:2])}-{key.sm}-{key.precision}"
        with device.current(f"loading {self._bundle.path}"):
            self._prepare(key)
            self._load(key)

    def _prepare(self, key: EngineKey) -> None:
        """Build the engines that the bundle lacks."""
        manifest, build = self._bundle.manifest, Build(self._bundle, key, self.options)
        self._onnx = {stage.name: build.file(stage.name) for stage in manifest.stages}
        root = self._bundle.path
        self._hashes = {stage: manifest.sha256[file.relative_to(root).as_posix()] for stage, file in self._onnx.items()}
        why = why_build(root, key, self._hashes, self.options.max_batch, own=self._bundle.signed_by is not None)
        if why is None:
            return
        if key.converter != "onnx":
            raise BundleError(f"{why}: run `edgecvar compile --converter {key.converter}` on this device")
        build_engines(build, why)

    def _load(self, key: EngineKey) -> None:
        import tensorrt as trt

        graphs = self._graph_driver() if self.options.cuda_graphs else None
        self._downloads = new_stream()
        try:
            self._runtime = trt.Runtime(logger_into(self._log))
        except (TypeError, RuntimeError) as error:
            raise DeviceError(f"TensorRT {key.tensorrt} cannot start: {self._log.last_error()} ({error})") from error
        if key.dla is not None:
            self._runtime.DLA_core = key.dla
        for stage in self._bundle.manifest.stages:
            self._load_stage(key, stage, graphs)
            for tensor, shape in stage.gives.items():
                self._arrivals[stage.name, tensor] = page_locked((self.options.max_batch, *shape))

    def _graph_driver(self) -> Optional[GraphDriver]:
        try:
            return GraphDriver()
        except OSError as error:
            say(f"no CUDA graphs: {error}", err=True)
            return None

    def _load_stage(self, key: EngineKey, stage: StageSpec, graphs: Optional[GraphDriver]) -> None:
        own = self._bundle.signed_by is not None
        file, plan = read_engine(self._bundle.path, key, stage.name, self._hashes[stage.name], own)
        execution = self._deserialised(plan, generation_of(key.tensorrt))
        if execution is None:
            raise DeviceError(
                f"{file}: TensorRT {key.tensorrt} cannot load it: {self._log.last_error()}; "
                f"remove {file.parent} and run again: the engines are built anew"
            )
        try:
            names = check_tensors(file, stage, execution.tensors())
        except BundleError:
            execution.close()
            raise
        memory = StageMemory(stage, names, self.options.max_batch)
        self._stages[stage.name] = DeviceStage(file, memory, execution, graphs, self._log)
        self._stages[stage.name].open()

    def _deserialised(self, plan: bytes, generation: Generation) -> Optional[Execution]:
        runtime: trt.Runtime = self._runtime
        engine: Optional[trt.ICudaEngine] = runtime.deserialize_cuda_engine(plan)
        return None if engine is None else execution_of(generation)(engine)

    def _release(self) -> None:
        """Free in the order of dependence, also where a step fails: stages, runtime, memory."""
        stages = list(self._stages.values())
        self._stages.clear()
        with ExitStack() as last_in_first_out:
            for stage in stages:
                last_in_first_out.callback(stage.memory.free)
            last_in_first_out.callback(self._drop_runtime)
            for stage in stages:
                last_in_first_out.callback(stage.close)

    def _drop_runtime(self) -> None:
        self._arrivals.clear()
        self._downloads = None
        self._runtime = None
