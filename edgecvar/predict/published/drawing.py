"""A network drawn layer by layer as TensorRT fuses it, without torch or onnx."""

from __future__ import annotations

from typing import List, Optional, Tuple

from edgecvar.bundle.precision import Precision
from edgecvar.predict.work import Kind, Layer

ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}

Shape = Tuple[int, int, int]
"""(channels, height, width) of one sample."""

SEPARATE = {"swish": ("Sigmoid", "Mul"), "hardswish": ("HardSwish",)}
"""Activations that stay a layer of their own behind a convolution; any other is fused into it."""


class Drawing:
    """Appends fused layers, each at the current `shape`; a branch sets `shape` back to where it starts.

    A convolution holds its batch norm, its activation and the sum behind it; a concatenation is free, as the layers
    before it write to its place. `parameters`: as published, so two a channel for a batch norm, though fusion leaves
    one. Bytes are those of `precision` for activations and weights; `batch` multiplies all but the weights.
    """

    def __init__(self, precision: Precision, shape: Shape, batch: int = 1) -> None:
        self.precision = precision
        self.shape = shape
        self.batch = batch
        self.layers: List[Layer] = []
        self.parameters = 0

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def elements(self) -> int:
        """Of one sample at the current shape."""
        channels, height, width = self.shape
        return channels * height * width

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in self.layers)

    def conv(
        self,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        groups: int = 1,
        padding: Optional[int] = None,
        act: str = "relu",
        norm: bool = True,
        bias: bool = False,
        adds: bool = False,
    ) -> None:
        """A convolution; without `padding` the side shrinks to ceil(side / stride).

        `act`: what follows, "" for nothing. `adds`: the sum of a residual block is fused behind it. `bias`: it has
        one of its own beside or without a batch norm.
        """
        inputs, height, width = self.shape
        before = self.elements
        height, width = (_side(side, kernel, stride, padding) for side in (height, width))
        self.shape = (outputs, height, width)
        weights = outputs * (inputs // groups) * kernel * kernel
        self.parameters += weights + (2 * outputs if norm else 0) + (outputs if bias else 0)
        fused = ("Conv", *(("Add",) if adds else ()), *((act.capitalize(),) if act and act not in SEPARATE else ()))
        self._append(
            _conv_kind(inputs, outputs, kernel, groups),
            fused,
            multiply_adds=weights * height * width,
            reads=before + (self.elements if adds else 0),
            weights=weights + (outputs if norm or bias else 0),
            writes=self.elements,
            window=kernel * kernel,
            inputs=inputs // groups,
            stride=stride,
        )
        if act in SEPARATE:
            self.elementwise(*SEPARATE[act])

    def depthwise(self, kernel: int, stride: int = 1, act: str = "relu", norm: bool = True, bias: bool = False) -> None:
        """A convolution of each channel by itself."""
        self.conv(self.channels, kernel, stride, groups=self.channels, act=act, norm=norm, bias=bias)

    def pool(
        self, kernel: int, stride: int, padding: Optional[int] = None, ceil: bool = False, operator: str = "MaxPool"
    ) -> None:
        """A pooling window; without `padding` the side shrinks to ceil(side / stride)."""
        channels, height, width = self.shape
        before = self.elements
        height, width = (_side(side, kernel, stride, padding, ceil) for side in (height, width))
        self.shape = (channels, height, width)
        self._append(
            "pooling", (operator,), reads=before, writes=self.elements, window=kernel * kernel, stride=stride,
            inputs=channels,
        )  # fmt: skip

    def mean(self, operator: str = "GlobalAveragePool") -> None:
        """Each channel to one value."""
        channels, height, width = self.shape
        before = self.elements
        self.shape = (channels, 1, 1)
        self._append(
            "reduction", (operator,), reads=before, writes=channels, window=height * width, inputs=channels
        )  # fmt: skip

    def elementwise(self, *operators: str, beside: int = 0, parameters: int = 0) -> None:
        """Operators that keep the shape, in one layer; `beside`: elements of a second operand that it reads."""
        self.parameters += parameters
        self._append("elementwise", operators, reads=self.elements + beside, writes=self.elements, inputs=self.channels)

    def linear(self, outputs: int, act: str = "", norm_parameters: int = 0, bias: bool = True) -> None:
        """A matrix product of all values of a sample with weights."""
        inputs = self.elements
        weights = inputs * outputs
        self.shape = (outputs, 1, 1)
        self.parameters += weights + (outputs if bias else 0) + norm_parameters
        fused = ("Gemm", *((act.capitalize(),) if act and act not in SEPARATE else ()))
        self._append(
            "matmul", fused, multiply_adds=weights, reads=inputs, weights=weights + (outputs if bias else 0),
            writes=outputs, inputs=inputs,
        )  # fmt: skip
        if act in SEPARATE:
            self.elementwise(*SEPARATE[act])

    def matmul(self, count: int, rows: int, inner: int, columns: int) -> None:
        """`count` products of activations (rows, inner) x (inner, columns); the shape becomes theirs."""
        self.shape = (count * rows, 1, columns)
        self._append(
            "matmul", ("MatMul",), multiply_adds=count * rows * inner * columns,
            reads=count * inner * (rows + columns), writes=count * rows * columns, inputs=inner, outputs=columns,
            places=count * rows,
        )  # fmt: skip

    def movement(self, operator: str, shape: Optional[Shape] = None) -> None:
        """Values carried to another place; `shape`: the new one where that differs."""
        if shape is not None:
            self.shape = shape
        self._append("movement", (operator,), reads=self.elements, writes=self.elements, inputs=self.channels)

    def joined(self, channels: int) -> None:
        """The current maps beside others, `channels` in all: a free concatenation."""
        self.shape = (channels, *self.shape[1:])

    def _append(
        self,
        kind: Kind,
        operators: Tuple[str, ...],
        *,
        reads: int,
        writes: int,
        multiply_adds: int = 0,
        weights: int = 0,
        window: int = 1,
        inputs: int = 1,
        outputs: Optional[int] = None,
        places: Optional[int] = None,
        stride: int = 1,
    ) -> None:
        size = ELEMENT_BYTES[self.precision]
        name = f"{len(self.layers)}.{operators[0]}"
        channels, height, width = self.shape
        self.layers.append(
            Layer(
                name=name,
                kind=kind,
                operators=operators,
                nodes=(name, *(f"{name}.{operator}" for operator in operators[1:])),
                precision=self.precision,
                multiply_adds=self.batch * multiply_adds,
                reads=self.batch * reads * size,
                weights=weights * size,
                writes=self.batch * writes * size,
                places=self.batch * (height * width if places is None else places),
                inputs=inputs,
                outputs=channels if outputs is None else outputs,
                window=window,
                stride=stride,
            )
        )


def _conv_kind(inputs: int, outputs: int, kernel: int, groups: int) -> Kind:
    if groups == 1:
        return "pointwise" if kernel == 1 else "dense"
    return "depthwise" if groups == inputs == outputs else "grouped"


def _side(side: int, kernel: int, stride: int, padding: Optional[int], ceil: bool = False) -> int:
    if padding is None:
        return -(-side // stride)
    span = side + 2 * padding - kernel
    return (-(-span // stride) if ceil else span // stride) + 1
