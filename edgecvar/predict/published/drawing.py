"""A network drawn layer by layer as TensorRT fuses it, without torch or onnx."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Literal, Optional, Tuple

from edgecvar.bundle.precision import Precision
from edgecvar.predict.work import Kind, Layer

ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}

Shape = Tuple[int, int, int]
"""(channels, height, width) of one sample."""

SEPARATE = {"swish": ("Sigmoid", "Mul"), "hardswish": ("HardSwish",)}
"""Activations that stay a layer of their own behind a convolution; any other is fused into it."""


Learnt = Literal["norm", "bias", ""]
PARAMETERS: Dict[Learnt, int] = {"norm": 2, "bias": 1, "": 0}
"""Of each output channel, beside the kernels."""


@dataclass(frozen=True)
class _Work:
    """What a layer asks of one sample, in elements; places and outputs are those of the shape where they are 0."""

    reads: int
    writes: int
    multiply_adds: int = 0
    weights: int = 0
    window: int = 1
    inputs: int = 1
    outputs: int = 0
    places: int = 0
    stride: int = 1


class Drawing:
    """Appends fused layers, each at the current `shape`; a branch sets `shape` back to where it starts.

    A convolution holds its batch norm, the sum behind it and its activation; a concatenation is free, as the layers
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
        learnt: Learnt = "norm",
    ) -> None:
        """A convolution; without `padding` the side shrinks to ceil(side / stride).

        `act`: what follows, "" for nothing. `learnt`: what it has beside its kernels.
        """
        inputs, height, width = self.shape
        before = self.elements
        height, width = (_side(side, kernel, stride, padding) for side in (height, width))
        self.shape = (outputs, height, width)
        weights = outputs * (inputs // groups) * kernel * kernel
        self.parameters += weights + PARAMETERS[learnt] * outputs
        work = _Work(
            reads=before,
            writes=self.elements,
            multiply_adds=weights * height * width,
            weights=weights + (outputs if learnt else 0),
            window=kernel * kernel,
            inputs=inputs // groups,
            stride=stride,
        )
        self._append(_conv_kind(inputs, outputs, kernel, groups), ("Conv", *_fused(act)), work)
        self._separate(act)

    def add(self, act: str = "") -> None:
        """The sum of a residual block, fused with its activation into the layer before it."""
        last = self.layers[-1]
        fused = ("Add", *_fused(act))
        self.layers[-1] = replace(
            last,
            operators=(*last.operators, *fused),
            nodes=(*last.nodes, *(f"{last.name}.{operator}" for operator in fused)),
            reads=last.reads + last.writes,
        )

    def depthwise(self, kernel: int, stride: int = 1, act: str = "relu", learnt: Learnt = "norm") -> None:
        """A convolution of each channel by itself."""
        self.conv(self.channels, kernel, stride, groups=self.channels, act=act, learnt=learnt)

    def pool(
        self, kernel: int, stride: int, padding: Optional[int] = None, ceil: bool = False, operator: str = "MaxPool"
    ) -> None:
        """A pooling window; without `padding` the side shrinks to ceil(side / stride)."""
        channels, height, width = self.shape
        before = self.elements
        height, width = (_side(side, kernel, stride, padding, ceil) for side in (height, width))
        self.shape = (channels, height, width)
        work = _Work(before, self.elements, window=kernel * kernel, stride=stride, inputs=channels)
        self._append("pooling", (operator,), work)

    def mean(self, operator: str = "GlobalAveragePool") -> None:
        """Each channel to one value."""
        channels, height, width = self.shape
        before = self.elements
        self.shape = (channels, 1, 1)
        self._append("reduction", (operator,), _Work(before, channels, window=height * width, inputs=channels))

    def elementwise(self, *operators: str, beside: int = 0, parameters: int = 0) -> None:
        """Operators that keep the shape, in one layer; `beside`: elements of a second operand that it reads."""
        self.parameters += parameters
        self._append("elementwise", operators, _Work(self.elements + beside, self.elements, inputs=self.channels))

    def linear(self, outputs: int, act: str = "", bias: bool = True) -> None:
        """A matrix product of all values of a sample with weights."""
        inputs = self.elements
        weights = inputs * outputs
        learnt = weights + (outputs if bias else 0)
        self.shape = (outputs, 1, 1)
        self.parameters += learnt
        work = _Work(inputs, outputs, multiply_adds=weights, weights=learnt, inputs=inputs)
        self._append("matmul", ("Gemm", *_fused(act)), work)
        self._separate(act)

    def matmul(self, count: int, rows: int, inner: int, columns: int) -> None:
        """`count` products of activations (rows, inner) x (inner, columns); the shape becomes theirs."""
        self.shape = (count * rows, 1, columns)
        work = _Work(
            reads=count * inner * (rows + columns),
            writes=count * rows * columns,
            multiply_adds=count * rows * inner * columns,
            inputs=inner,
            outputs=columns,
            places=count * rows,
        )
        self._append("matmul", ("MatMul",), work)

    def movement(self, operator: str, shape: Optional[Shape] = None) -> None:
        """Values carried to another place; `shape`: the new one where that differs."""
        if shape is not None:
            self.shape = shape
        self._append("movement", (operator,), _Work(self.elements, self.elements, inputs=self.channels))

    def joined(self, channels: int) -> None:
        """The current maps beside others, `channels` in all: a free concatenation."""
        self.shape = (channels, *self.shape[1:])

    def _separate(self, act: str) -> None:
        if act in SEPARATE:
            self.elementwise(*SEPARATE[act])

    def _append(self, kind: Kind, operators: Tuple[str, ...], work: _Work) -> None:
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
                multiply_adds=self.batch * work.multiply_adds,
                reads=self.batch * work.reads * size,
                weights=work.weights * size,
                writes=self.batch * work.writes * size,
                places=self.batch * (work.places or height * width),
                inputs=work.inputs,
                outputs=work.outputs or channels,
                window=work.window,
                stride=work.stride,
            )
        )


def _fused(act: str) -> Tuple[str, ...]:
    return (act.capitalize(),) if act and act not in SEPARATE else ()


def _conv_kind(inputs: int, outputs: int, kernel: int, groups: int) -> Kind:
    if groups == 1:
        return "pointwise" if kernel == 1 else "dense"
    return "depthwise" if groups == inputs == outputs else "grouped"


def _side(side: int, kernel: int, stride: int, padding: Optional[int], ceil: bool = False) -> int:
    if padding is None:
        return -(-side // stride)
    span = side + 2 * padding - kernel
    return (-(-span // stride) if ceil else span // stride) + 1
