"""ONNX files with shapes and attributes, written in bytes: the device half is tested without the onnx package."""

from __future__ import annotations

import struct
from typing import List, Sequence, Union

import numpy as np

from edgecvar.runners.protobuf import bytes_field, number_field

TYPES = {"float32": 1, "int8": 3, "int64": 7, "float16": 10}
NEGATIVE = 1 << 64
"""What a negative number is written as is short of this."""

Attribute = Union[int, float, str, Sequence[int], Sequence[float]]


class OnnxFile:
    """A graph that grows call by call, each of which gives the name of what it makes; the batch is `batch`."""

    def __init__(self, packed: bool = False, **inputs: Sequence[int]) -> None:
        self._inputs, self._packed = inputs, packed
        self._nodes: List[bytes] = []
        self._constants: List[bytes] = []

    def call(self, operator: str, *inputs: str, name: str = "", outputs: int = 1, **attributes: Attribute) -> str:
        """A node without a name; its outputs are called after it, and the first is given back."""
        made = name or f"{operator.lower()}{len(self._nodes)}"
        names = [made, *(f"{made}.{place}" for place in range(1, outputs))]
        parts = [*(_text(1, each) for each in inputs), *(_text(2, each) for each in names), _text(4, operator)]
        parts += [bytes_field(5, self._attribute(key, value)) for key, value in attributes.items()]
        self._nodes.append(b"".join(parts))
        return made

    def stored(self, value: np.ndarray) -> str:
        """A constant."""
        name = f"stored{len(self._constants)}"
        parts = [number_field(1, side) for side in value.shape]
        parts += [number_field(2, TYPES[str(value.dtype)]), _text(8, name), bytes_field(9, value.tobytes())]
        self._constants.append(b"".join(parts))
        return name

    def weights(self, *shape: int) -> str:
        """Constants that are all one."""
        return self.stored(np.ones(shape, np.float32))

    def conv(self, read: str, shape: Sequence[int], name: str = "", int8: bool = False, **attributes: Attribute) -> str:
        """A convolution that keeps the places, its weights (outputs, inputs of a group, *kernel)."""
        weights = self.weights(*shape)
        pads = [side // 2 for side in shape[2:]] * 2
        given = {"pads": pads, **attributes}
        return self.call("Conv", read, self.quantised(weights) if int8 else weights, name=name, **given)

    def quantised(self, read: str, scale: str = "float32") -> str:
        """A tensor in int8 and back; `scale`: the type on both sides."""
        stored, zero = self.stored(np.ones((), scale)), self.stored(np.zeros((), np.int8))
        return self.call("DequantizeLinear", self.call("QuantizeLinear", read, stored, zero), stored, zero)

    def content(self, *outputs: str, opset: int = 13) -> bytes:
        """The file."""
        graph = b"".join(bytes_field(1, node) for node in self._nodes) + _text(2, "stage")
        graph += b"".join(bytes_field(5, constant) for constant in self._constants)
        graph += b"".join(bytes_field(11, _value(name, shape)) for name, shape in self._inputs.items())
        graph += b"".join(bytes_field(12, _text(1, name)) for name in outputs)
        return number_field(1, 8) + bytes_field(7, graph) + bytes_field(8, _text(1, "") + number_field(2, opset))

    def _attribute(self, name: str, value: Attribute) -> bytes:
        if isinstance(value, int):
            return _text(1, name) + number_field(3, value % NEGATIVE) + number_field(20, 2)
        if isinstance(value, float):
            return _text(1, name) + _float(2, value) + number_field(20, 1)
        if isinstance(value, str):
            return _text(1, name) + _text(4, value) + number_field(20, 3)
        if value and isinstance(value[0], float):
            whole = bytes_field(7, struct.pack(f"<{len(value)}f", *value))
            floats = whole if self._packed else b"".join(_float(7, each) for each in value)
            return _text(1, name) + floats + number_field(20, 6)
        numbers = [number_field(8, int(each) % NEGATIVE) for each in value]
        # Packed are the numbers alone, without a tag each.
        packed = bytes_field(8, b"".join(each[1:] for each in numbers))
        return _text(1, name) + (packed if self._packed else b"".join(numbers)) + number_field(20, 7)


def _text(number: int, value: str) -> bytes:
    return bytes_field(number, value.encode())


def _float(number: int, value: float) -> bytes:
    return bytes([number << 3 | 5]) + struct.pack("<f", value)


def _value(name: str, shape: Sequence[int]) -> bytes:
    sides = [_text(2, "batch"), *(number_field(1, side) for side in shape)]
    tensor = number_field(1, 1) + bytes_field(2, b"".join(bytes_field(1, side) for side in sides))
    return _text(1, name) + bytes_field(2, bytes_field(1, tensor))
