"""What differs between the generations of TensorRT's Python API: 8.2 to 8.4, 8.5 to 9, 10, and 11.

Each class here says in GENERATIONS which of them it speaks to; everything else uses only what all of them have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Dict, List, Mapping, Optional, Tuple, Type, Union

from edgecvar.errors import DeviceError, import_reason

if TYPE_CHECKING:
    import tensorrt as trt

Generation = str
GENERATIONS: Dict[Generation, Tuple[int, ...]] = {"8.2": (8, 2, 1), "8.5": (8, 5), "10": (10,), "11": (11,)}
"""The generations by their first version; 8.2.0 obeys no precisions."""


def installed_version() -> str:
    """The version of the `tensorrt` module; raises DeviceError where there is none."""
    try:
        import tensorrt as trt
    except (ImportError, OSError) as error:  # the wheel loads its libraries itself
        raise DeviceError(
            f"TensorRT cannot be imported ({import_reason(error)}): it comes with JetPack on a Jetson and with "
            "`pip install edgecvar[gpu]` elsewhere; or use --runner onnx"
        ) from error
    return str(trt.__version__)


def generation_of(version: str) -> Generation:
    """The generation that a version such as "8.2.1.8" belongs to; raises DeviceError below 8.2.1."""
    digits = tuple(int(part) for part in version.split(".")[:3])
    reached = [name for name, first in GENERATIONS.items() if digits >= first]
    if not reached:
        raise DeviceError(f"TensorRT {version} is too old: 8.2.1 (JetPack 4.6.1) is the oldest; or use --runner onnx")
    return reached[-1]


@dataclass(frozen=True)
class EngineTensor:
    """An input or output of an engine; -1 in `shape` where the batch is open. Of the types, fp16 is `half`."""

    name: str
    is_input: bool
    shape: Tuple[int, ...]
    float32: bool
    half: bool = False


class LoadedEngine:
    """An engine and its context, held here alone: so that they go when `close` says, whatever error is on its way.

    `profile`: the optimisation profile that the context is in.
    """

    def __init__(self, engine: trt.ICudaEngine) -> None:
        self.engine: trt.ICudaEngine = engine
        self.context: trt.IExecutionContext = None
        self.profile = 0

    @property
    def profiles(self) -> int:
        """How many optimisation profiles the engine has."""
        engine: trt.ICudaEngine = self.engine
        return max(1, int(engine.num_optimization_profiles))

    def use_profile(self, profile: int, stream: int) -> bool:
        """Turn to a profile, in which all shapes must be set anew; nothing may be at work."""
        if profile == self.profile:
            return True
        context: trt.IExecutionContext = self.context
        done = bool(context.set_optimization_profile_async(profile, stream))
        self.profile = profile if done else self.profile
        return done

    def open_context(self) -> bool:
        """Whether there was memory to run the engine."""
        self.context = self.engine.create_execution_context()
        return self.context is not None

    def profile_into(self, profiler: Optional[trt.IProfiler]) -> None:
        """Let `profiler` be told the layers' times of a run when `report_times` asks; None ends it."""
        context: trt.IExecutionContext = self.context
        context.profiler = profiler
        context.enqueue_emits_profile = profiler is None

    def report_times(self) -> bool:
        """Whether the profiler was told of the last run, which has ended."""
        context: trt.IExecutionContext = self.context
        return bool(context.report_to_profiler())

    def inspected(self) -> str:
        """What the engine says of its layers, in JSON. Not of the context: some versions fail to with one."""
        import tensorrt as trt

        engine: trt.ICudaEngine = self.engine
        inspector: trt.EngineInspector = engine.create_engine_inspector()
        return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))

    def close(self) -> None:
        """Let go of the context, then of its engine."""
        self.context = None
        self.engine = None


class BindingExecution(LoadedEngine):
    """An engine whose tensors are bindings: known by index, addressed at each call; each profile has its own."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("8.2",)

    def __init__(self, engine: trt.ICudaEngine) -> None:
        super().__init__(engine)
        self._addresses: List[int] = []

    def tensors(self) -> List[EngineTensor]:
        import tensorrt as trt

        engine: trt.ICudaEngine = self.engine
        return [
            EngineTensor(
                engine.get_binding_name(index),
                engine.binding_is_input(index),
                tuple(engine.get_binding_shape(index)),
                engine.get_binding_dtype(index) == trt.DataType.FLOAT,
                engine.get_binding_dtype(index) == trt.DataType.HALF,
            )
            for index in range(self._each)
        ]

    @property
    def _each(self) -> int:
        """Bindings of a profile."""
        return int(self.engine.num_bindings) // self.profiles

    def set_addresses(self, addresses: Mapping[str, int]) -> bool:
        names = [self.engine.get_binding_name(index) for index in range(self._each)]
        self._addresses = [addresses[name] for name in names] * self.profiles
        return True

    def set_shape(self, name: str, shape: Tuple[int, ...]) -> bool:
        return bool(self.context.set_binding_shape(self._index(name), shape))

    def shape(self, name: str) -> Tuple[int, ...]:
        return tuple(self.context.get_binding_shape(self._index(name)))

    def _index(self, name: str) -> int:
        return int(self.engine.get_binding_index(name)) + self.profile * self._each

    def enqueue(self, stream: int) -> bool:
        return bool(self.context.execute_async_v2(bindings=self._addresses, stream_handle=stream))


class TensorExecution(LoadedEngine):
    """An engine whose tensors have names and keep their addresses."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("8.5", "10", "11")

    def tensors(self) -> List[EngineTensor]:
        import tensorrt as trt

        engine: trt.ICudaEngine = self.engine
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        return [
            EngineTensor(
                name,
                engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
                tuple(engine.get_tensor_shape(name)),
                engine.get_tensor_dtype(name) == trt.DataType.FLOAT,
                engine.get_tensor_dtype(name) == trt.DataType.HALF,
            )
            for name in names
        ]

    def set_addresses(self, addresses: Mapping[str, int]) -> bool:
        return all(self.context.set_tensor_address(name, address) for name, address in addresses.items())

    def set_shape(self, name: str, shape: Tuple[int, ...]) -> bool:
        return bool(self.context.set_input_shape(name, shape))

    def shape(self, name: str) -> Tuple[int, ...]:
        return tuple(self.context.get_tensor_shape(name))

    def enqueue(self, stream: int) -> bool:
        return bool(self.context.execute_async_v3(stream_handle=stream))


Execution = Union[BindingExecution, TensorExecution]


def execution_of(generation: Generation) -> Type[Execution]:
    """How engines are run in a generation."""
    return BindingExecution if generation == "8.2" else TensorExecution


class BindingWorkspace:
    """The scratch memory of a build, before memory pools."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("8.2",)

    @staticmethod
    def limit(config: trt.IBuilderConfig, size: int) -> None:
        config.max_workspace_size = size


class PoolWorkspace:
    """The scratch memory of a build, as a memory pool."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("8.5", "10", "11")

    @staticmethod
    def limit(config: trt.IBuilderConfig, size: int) -> None:
        import tensorrt as trt

        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, size)


def limit_workspace(generation: Generation, config: trt.IBuilderConfig, size: int) -> None:
    """Let the builder's tactics use at most `size` bytes of scratch memory."""
    (BindingWorkspace if generation == "8.2" else PoolWorkspace).limit(config, size)


class DlaParsing:
    """A parser that rewrites layers for a DLA; before 11 none that runs where a DLA is."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("11",)

    @staticmethod
    def adjust(parser: trt.OnnxParser) -> None:
        """Let it make of layers what a DLA takes, wherever that computes the same."""
        import tensorrt as trt

        parser.set_flag(trt.OnnxParserFlag.ADJUST_FOR_DLA)
