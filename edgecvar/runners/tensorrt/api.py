"""What differs between the generations of TensorRT's Python API: 8.2 to 8.4, 8.5 to 9, 10, and 11.

Each class here says in GENERATIONS which of them it speaks to; everything else uses only what all of them have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, AbstractSet, ClassVar, Dict, List, Mapping, Optional, Set, Tuple, Type, Union

from edgecvar.bundle.precision import Precision
from edgecvar.errors import DeviceError

if TYPE_CHECKING:
    import tensorrt as trt

Generation = str
GENERATIONS: Dict[Generation, Tuple[int, int]] = {"8.2": (8, 2), "8.5": (8, 5), "10": (10, 0), "11": (11, 0)}
"""The generations by their first version."""


def installed_version() -> str:
    """The version of the `tensorrt` module; raises DeviceError where there is none."""
    try:
        import tensorrt as trt
    except (ImportError, OSError) as error:  # the wheel loads its libraries itself
        raise DeviceError(
            f"TensorRT cannot be imported ({error}): it comes with JetPack on a Jetson and with "
            "`pip install edgecvar[gpu]` elsewhere; or use --runner onnx"
        ) from error
    return str(trt.__version__)


def generation_of(version: str) -> Generation:
    """The generation that a version such as "8.2.1.8" belongs to; raises DeviceError below 8.2."""
    digits = tuple(int(part) for part in version.split(".")[:2])
    known = [name for name, first in GENERATIONS.items() if digits >= first]
    if not known:
        raise DeviceError(f"TensorRT {version} is too old: 8.2 (JetPack 4.6) is the oldest; or use --runner onnx")
    return known[-1]


@dataclass(frozen=True)
class EngineTensor:
    """An input or output of an engine; -1 in `shape` where the batch is open."""

    name: str
    is_input: bool
    shape: Tuple[int, ...]
    float32: bool


class LoadedEngine:
    """An engine and its context, held here alone: so that they go when `close` says, whatever error is on its way."""

    def __init__(self, engine: trt.ICudaEngine) -> None:
        self.engine: trt.ICudaEngine = engine
        self.context: trt.IExecutionContext = None

    def open_context(self) -> bool:
        """Whether there was memory to run the engine."""
        self.context = self.engine.create_execution_context()
        return self.context is not None

    def close(self) -> None:
        """Let go of the context, then of its engine."""
        self.context = None
        self.engine = None


class BindingExecution(LoadedEngine):
    """An engine whose tensors are bindings: known by index, addressed at each call."""

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
            )
            for index in range(engine.num_bindings)
        ]

    def set_addresses(self, addresses: Mapping[str, int]) -> bool:
        names = [self.engine.get_binding_name(index) for index in range(self.engine.num_bindings)]
        self._addresses = [addresses[name] for name in names]
        return True

    def set_shape(self, name: str, shape: Tuple[int, ...]) -> bool:
        return bool(self.context.set_binding_shape(self.engine.get_binding_index(name), shape))

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
            )
            for name in names
        ]

    def set_addresses(self, addresses: Mapping[str, int]) -> bool:
        return all(self.context.set_tensor_address(name, address) for name, address in addresses.items())

    def set_shape(self, name: str, shape: Tuple[int, ...]) -> bool:
        return bool(self.context.set_input_shape(name, shape))

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


class WeakTyping:
    """Precision by flags, which allow a type and do not ask for it.

    Up to 9 there is nothing else for an ONNX file of mixed types. The builder would run its fp32 islands (sums that
    overflow fp16) in fp16, so each of their layers is told to stay fp32, and the builder to obey. TensorRT 10 needs
    the flags for DLA only, which takes its precision from them.
    """

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("8.2", "8.5", "10")

    @staticmethod
    def obey(config: trt.IBuilderConfig) -> None:
        """Let the builder keep to the types that layers are given."""
        raise NotImplementedError

    @staticmethod
    def network_flags() -> int:
        import tensorrt as trt

        return 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)

    @classmethod
    def set_precision(
        cls,
        network: trt.INetworkDefinition,
        config: trt.IBuilderConfig,
        precision: Precision,
        wide: Optional[AbstractSet[str]] = None,
    ) -> int:
        """Set the flags of a precision; the number of layers that must stay fp32.

        `wide`: their names where the file's types do not tell, as in int8 files, where fp32 means "not quantised".
        """
        import tensorrt as trt

        if precision == "fp32":
            return 0
        config.set_flag(trt.BuilderFlag.FP16)
        if precision == "int8":
            config.set_flag(trt.BuilderFlag.INT8)
        layers: List[trt.ILayer] = float32_layers(network)
        kept: List[trt.ILayer] = [layer for layer in layers if wide is None or is_wide(layer.name, wide)]
        for layer in kept:
            layer.precision = trt.DataType.FLOAT
            for index in range(layer.num_outputs):
                layer.set_output_type(index, trt.DataType.FLOAT)
        cls.obey(config)
        return len(kept)


class StrictTyping(WeakTyping):
    """Before 8.5: a layer's type is kept where any implementation has it, else the log warns; 8.2 has no other flag."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("8.2",)

    @staticmethod
    def obey(config: trt.IBuilderConfig) -> None:
        import tensorrt as trt

        config.set_flag(trt.BuilderFlag.STRICT_TYPES)


class ObeyedTyping(WeakTyping):
    """From 8.5: a build fails rather than not to keep a layer's type."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("8.5", "10")

    @staticmethod
    def obey(config: trt.IBuilderConfig) -> None:
        import tensorrt as trt

        config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)


class TypedByFlag:
    """Precision from the types in the ONNX file, as a flag asks: they are kept as they are written."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("10",)

    @staticmethod
    def network_flags() -> int:
        import tensorrt as trt

        return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)

    @staticmethod
    def set_precision(
        network: trt.INetworkDefinition,
        config: trt.IBuilderConfig,
        precision: Precision,
        wide: Optional[AbstractSet[str]] = None,
    ) -> int:
        return 0


class AlwaysTyped:
    """Precision from the types in the ONNX file: the only way of 11, whose flag for it is ignored."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("11",)

    @staticmethod
    def network_flags() -> int:
        return 0

    @staticmethod
    def set_precision(
        network: trt.INetworkDefinition,
        config: trt.IBuilderConfig,
        precision: Precision,
        wide: Optional[AbstractSet[str]] = None,
    ) -> int:
        return 0


Typing = Union[WeakTyping, TypedByFlag, AlwaysTyped]


def typing_of(generation: Generation, dla: Optional[int]) -> Type[Typing]:
    """How a generation is told the precision of a network."""
    if generation == "11":
        return AlwaysTyped
    if generation == "10" and dla is None:
        return TypedByFlag
    return StrictTyping if generation == "8.2" else ObeyedTyping


def is_wide(name: str, wide: AbstractSet[str]) -> bool:
    """Whether a layer belongs to one of those named in `wide`, which come from another file.

    Only the first layer of a node has the node's name: the parser numbers the others over the whole file, or does not
    name them, as the squares of ReduceL2. What is taken for wide and is not costs time; the other way round, sums.
    """
    number = re.compile(r"_\d+$")
    stems = {number.sub("", each) for each in wide}
    return number.sub("", name) in stems or (bool(wide) and name.startswith("(Unnamed Layer"))


def float32_layers(network: trt.INetworkDefinition) -> List[trt.ILayer]:
    """The layers of a weakly typed network that compute in fp32 because the ONNX file says so.

    Constants and casts compute nothing. A layer beside Q/DQ is fp32 on paper only: pinned, it could not become int8.
    """
    import tensorrt as trt

    idle = ("CONSTANT", "IDENTITY", "CAST", "SHAPE", "QUANTIZE", "DEQUANTIZE")
    layers: List[trt.ILayer] = [network.get_layer(index) for index in range(network.num_layers)]
    dequantised: Set[str] = set()
    to_quantise: Set[str] = set()
    for layer in layers:
        if layer.type == trt.LayerType.DEQUANTIZE:
            dequantised.add(layer.get_output(0).name)
        if layer.type == trt.LayerType.QUANTIZE:
            to_quantise.add(layer.get_input(0).name)
    kept: List[trt.ILayer] = []
    for layer in layers:
        # An input that an operator leaves out is None.
        inputs = [layer.get_input(index) for index in range(layer.num_inputs)]
        outputs = [layer.get_output(index) for index in range(layer.num_outputs)]
        beside = any(tensor is not None and tensor.name in dequantised for tensor in inputs) or any(
            tensor.name in to_quantise for tensor in outputs
        )
        if layer.type.name in idle or beside:
            continue
        if outputs and all(tensor.dtype == trt.DataType.FLOAT for tensor in outputs):
            kept.append(layer)
    return kept
