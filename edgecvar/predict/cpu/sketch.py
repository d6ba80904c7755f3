"""Small ONNX models, written field by field: a device has no onnx package."""

from __future__ import annotations

import struct
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from edgecvar.runners.protobuf import bytes_field, number_field

TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}
"""TensorProto.DataType."""
OPSET, IR_VERSION = 17, 8
Value = Union[int, float, Sequence[int]]


class Sketch:
    """A graph that grows node by node; `feeds` are values for its inputs."""

    def __init__(self) -> None:
        self.feeds: Dict[str, NDArray[Any]] = {}
        self._nodes: List[bytes] = []
        self._constants: List[bytes] = []
        self._random = np.random.default_rng(1)

    def values(self, shape: Sequence[int], dtype: str) -> NDArray[Any]:
        """Small values of either sign, or bytes around the middle."""
        if dtype == "float32":
            return self._random.uniform(-0.1, 0.1, tuple(shape)).astype(np.float32)
        return self._random.integers(1, 100, tuple(shape)).astype(dtype)

    def given(self, shape: Sequence[int], dtype: str = "float32") -> str:
        """An input."""
        name = f"x{len(self.feeds)}"
        self.feeds[name] = self.values(shape, dtype)
        return name

    def constant(self, value: Any, dtype: str = "float32") -> str:
        array: NDArray[Any] = np.ascontiguousarray(value, dtype=dtype)
        name = f"c{len(self._constants)}"
        dims = b"".join(number_field(1, size) for size in np.shape(value))
        self._constants.append(
            dims + number_field(2, TYPES[dtype]) + bytes_field(8, name.encode()) + bytes_field(9, array.tobytes())
        )
        return name

    def weights(self, shape: Sequence[int], dtype: str = "float32") -> str:
        """A constant of random values."""
        return self.constant(self.values(shape, dtype), dtype)

    def node(self, operator: str, inputs: Sequence[str], attributes: Mapping[str, Value] = {}, domain: str = "") -> str:
        """A node; its output's name."""
        output = f"t{len(self._nodes)}"
        content = b"".join(bytes_field(1, name.encode()) for name in inputs) + bytes_field(2, output.encode())
        content += bytes_field(3, output.encode()) + bytes_field(4, operator.encode())
        content += b"".join(bytes_field(5, _attribute(name, value)) for name, value in attributes.items())
        self._nodes.append(content + (bytes_field(7, domain.encode()) if domain else b""))
        return output

    def model(self, outputs: Sequence[Tuple[str, str]]) -> bytes:
        """The ONNX file whose outputs are these, each with its type."""
        graph = b"".join(bytes_field(1, node) for node in self._nodes) + bytes_field(2, b"chain")
        graph += b"".join(bytes_field(5, constant) for constant in self._constants)
        for name, array in self.feeds.items():
            graph += bytes_field(11, _declared(name, str(array.dtype), array.shape))
        graph += b"".join(bytes_field(12, _declared(name, dtype)) for name, dtype in outputs)
        imports = bytes_field(8, bytes_field(1, b"") + number_field(2, OPSET))
        imports += bytes_field(8, bytes_field(1, b"com.microsoft") + number_field(2, 1))
        return number_field(1, IR_VERSION) + bytes_field(7, graph) + imports


def _declared(name: str, dtype: str, shape: Sequence[int] = ()) -> bytes:
    dims = b"".join(bytes_field(1, number_field(1, size)) for size in shape)
    tensor = number_field(1, TYPES[dtype]) + (bytes_field(2, dims) if shape else b"")
    return bytes_field(1, name.encode()) + bytes_field(2, bytes_field(1, tensor))


def _attribute(name: str, value: Value) -> bytes:
    head = bytes_field(1, name.encode())
    if isinstance(value, float):
        return head + bytes([2 << 3 | 5]) + struct.pack("<f", value) + number_field(20, 1)
    if isinstance(value, int):
        return head + number_field(3, value) + number_field(20, 2)
    return head + b"".join(number_field(8, each) for each in value) + number_field(20, 7)
