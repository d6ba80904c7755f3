"""Tensors inside a stage on TensorRT: an engine is built with them as outputs, run, and thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.engines import EngineKey
from edgecvar.bundle.manifest import Bundle
from edgecvar.errors import DeviceError
from edgecvar.runners.layers import Tensors
from edgecvar.runners.tensorrt.api import EngineTensor, Execution, execution_of, generation_of, installed_version
from edgecvar.runners.tensorrt.builder import build_marked
from edgecvar.runners.tensorrt.cuda import CudaDevice, DeviceBuffer, Rows, download, new_stream, page_locked, upload
from edgecvar.runners.tensorrt.log import BuildLog, logger_into
from edgecvar.runners.tensorrt.options import Build, TensorRtOptions, check_options

if TYPE_CHECKING:
    import tensorrt as trt


class TensorRtProbe:
    """A bundle's stages on TensorRT, an engine a call: minutes each on a small device. Not run on a device yet."""

    def __init__(self, bundle: Bundle, options: TensorRtOptions) -> None:
        self._bundle = bundle
        self._options = options

    def run(self, stage: str, tensors: Sequence[str], samples: Sequence[Mapping[str, Any]]) -> Iterator[Tensors]:
        """As LayerProbe says; raises DeviceError, CompileError or BundleError."""
        version, options = installed_version(), self._options
        check_options(version, options)
        with CudaDevice(options.gpu_index) as device:
            key = EngineKey(
                sm=device.sm, gpu=device.gpu, tensorrt=version, precision=options.precision, dla=options.dla
            )
            log = BuildLog()
            with device.current(f"stage {stage}"):
                spec = next(each for each in self._bundle.manifest.stages if each.name == stage)
                plan = build_marked(Build(self._bundle, key, options), spec, tensors, log)
                engine = _ProbeEngine(plan, key, log)
                try:
                    found = [engine.run(sample) for sample in samples]
                finally:
                    engine.close()
        # The engine's own output has the name that the parser gave it, which is the file's.
        yield from ({name: each[name] for name in tensors if name in each} for each in found)


class _ProbeEngine:
    """An engine with any number of outputs, run on one sample after the other."""

    def __init__(self, plan: bytes, key: EngineKey, log: BuildLog) -> None:
        import tensorrt as trt

        self._log = log
        self._buffers: List[DeviceBuffer] = []
        self._runtime: Optional[trt.Runtime] = trt.Runtime(logger_into(log))
        if key.dla is not None:
            self._runtime.DLA_core = key.dla
        engine: Optional[trt.ICudaEngine] = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise self._failure("cannot be loaded")
        self._execution: Execution = execution_of(generation_of(key.tensorrt))(engine)
        self._tensors: List[EngineTensor] = self._execution.tensors()
        if not self._execution.open_context():
            raise self._failure("cannot be run (out of memory?)")

    def run(self, sample: Mapping[str, NDArray[np.float32]]) -> Tensors:
        """Every output for the named inputs, each (B, *shape)."""
        execution, stream = self._execution, new_stream()
        for name, value in sample.items():
            if not execution.set_shape(name, value.shape):
                raise self._failure(f"does not take input {name} of shape {value.shape}")
        memory = {tensor.name: self._memory(tensor) for tensor in self._tensors}
        if not execution.set_addresses({name: buffer.address for name, (buffer, _) in memory.items()}):
            raise self._failure("does not take the addresses of its tensors")
        for name, value in sample.items():
            np.copyto(memory[name][1], value.reshape(-1))
            upload(Rows(memory[name][0], 1), memory[name][1], stream)
        if not execution.enqueue(stream.handle):
            raise self._failure("was not run")
        outputs = [tensor for tensor in self._tensors if not tensor.is_input]
        for tensor in outputs:
            download(memory[tensor.name][1], Rows(memory[tensor.name][0], 1), stream)
        stream.synchronize()
        found = {
            tensor.name: _values(tensor, memory[tensor.name][1], execution.shape(tensor.name)) for tensor in outputs
        }
        self._free()
        return found

    def close(self) -> None:
        self._free()
        self._execution.close()
        self._runtime = None

    def _memory(self, tensor: EngineTensor) -> Tuple[DeviceBuffer, NDArray[np.float32]]:
        """On the device and on the host, flat; of fp16 values two lie in the place of one."""
        size = int(np.prod(self._execution.shape(tensor.name), dtype=np.int64))
        places = -(-size // 2) if tensor.half else size
        self._buffers.append(DeviceBuffer((1, places)))
        return self._buffers[-1], page_locked((places,))

    def _free(self) -> None:
        while self._buffers:
            self._buffers.pop().memory.free()

    def _failure(self, what: str) -> DeviceError:
        return DeviceError(f"an engine with more outputs {what}: {self._log.last_error()}")


def _values(tensor: EngineTensor, host: NDArray[np.float32], shape: Tuple[int, ...]) -> NDArray[Any]:
    values: NDArray[Any] = host.copy()
    if tensor.half:
        values = values.view(np.float16)
    return values[: int(np.prod(shape, dtype=np.int64))].reshape(shape)
