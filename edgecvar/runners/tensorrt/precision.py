"""How each generation of TensorRT is told the precision of a network: by flags and pinned layers, or by the file.

The classes say in GENERATIONS which of them they speak to, as those in api do.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, AbstractSet, ClassVar, FrozenSet, List, Optional, Set, Tuple, Type, Union

from edgecvar.bundle.precision import Precision
from edgecvar.runners.tensorrt.api import Generation

if TYPE_CHECKING:
    import tensorrt as trt


class WeakTyping:
    """Precision by flags, which allow a type and do not ask for it.

    Up to 9 there is nothing else for an ONNX file of mixed types. The builder would run its fp32 islands (sums that
    overflow fp16) in fp16, so each of their layers is told to stay fp32, and the builder to obey: a build then fails
    rather than not to keep a layer's type. TensorRT 10 needs the flags for DLA, which takes its precision from them,
    and for int8 files: by their types alone all that lies between int8 layers would be fp32, as their scales are.
    """

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("8.2", "8.5", "10")

    @staticmethod
    def network_flags() -> int:
        import tensorrt as trt

        return 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)

    @staticmethod
    def set_precision(
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
        full: List[trt.ILayer] = [layer for layer in layers if wide is None or is_wide(layer.name, wide)]
        for layer in full:
            layer.precision = trt.DataType.FLOAT
            for index in range(layer.num_outputs):
                layer.set_output_type(index, trt.DataType.FLOAT)
        config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
        return len(full)


class FileTyping:
    """Precision from the types in the ONNX file, which are kept as they are written."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("10", "11")

    @staticmethod
    def network_flags() -> int:
        """Nothing to ask for: the only way of 11, whose flag for it is ignored."""
        return 0

    @staticmethod
    def set_precision(
        network: trt.INetworkDefinition,
        config: trt.IBuilderConfig,
        precision: Precision,
        wide: Optional[AbstractSet[str]] = None,
    ) -> int:
        return 0


class FileTypingByFlag(FileTyping):
    """The same in 10, where a flag asks for it."""

    GENERATIONS: ClassVar[Tuple[str, ...]] = ("10",)

    @staticmethod
    def network_flags() -> int:
        import tensorrt as trt

        return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


Typing = Union[WeakTyping, FileTyping]


def typing_of(generation: Generation, precision: Precision, dla: Optional[int]) -> Type[Typing]:
    """How a generation is told the precision of a network."""
    if generation == "11":
        return FileTyping
    if generation == "10" and dla is None and precision != "int8":
        return FileTypingByFlag
    return WeakTyping


def is_wide(name: str, wide: AbstractSet[str]) -> bool:
    """Whether a layer belongs to one of those named in `wide`, which come from another file.

    Only the first layer of a node has the node's name: the parser numbers the others over the whole file, or does not
    name them, as the squares of ReduceL2. What is taken for wide and is not costs time; the other way round, sums.
    """
    return _stem(name) in _stems(frozenset(wide)) or (bool(wide) and name.startswith("(Unnamed Layer"))


@lru_cache(maxsize=4)
def _stems(wide: FrozenSet[str]) -> FrozenSet[str]:
    return frozenset(map(_stem, wide))


def _stem(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


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
    full: List[trt.ILayer] = []
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
            full.append(layer)
    return full
