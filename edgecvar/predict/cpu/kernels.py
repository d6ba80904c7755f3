"""A kernel of ONNX Runtime's CPU engine: a layer, and the routine that computes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Sequence, Tuple

from edgecvar.bundle.precision import Precision
from edgecvar.predict.work import Kind, Layer

BLOCK = 16
"""Channels that lie together in the blocked layout of AVX-512; others have 8, which the fit then takes up."""


@dataclass(frozen=True)
class Kernel:
    """`routine`: which code runs, as `machine` measures each by itself; `layer`: what it has to do, `times` times."""

    routine: str
    layer: Layer
    times: int = 1


@dataclass(frozen=True)
class Convolution:
    """Sizes of a convolution: channels of one group in, channels out, elements of the kernel, output places."""

    inputs: int
    outputs: int
    window: int
    places: int
    stride: int = 1
    groups: int = 1
    taken: int = 0
    """Input places; 0: as many as the stride makes of the output's."""

    @property
    def kind(self) -> Kind:
        if self.groups > 1:
            return "depthwise" if self.inputs == 1 and self.groups == self.outputs else "grouped"
        return "pointwise" if self.window == 1 else "dense"

    @property
    def multiply_adds(self) -> int:
        return self.inputs * self.outputs * self.window * self.places

    @property
    def weights(self) -> int:
        return self.inputs * self.outputs * self.window

    def blocked(self) -> Convolution:
        """As the blocked layout pads it; few input channels are read as they are."""
        if self.groups > 1:
            return replace(self, groups=padded(self.groups), outputs=padded(self.outputs))
        inputs = self.inputs if self.inputs < BLOCK else padded(self.inputs)
        return replace(self, inputs=inputs, outputs=padded(self.outputs))

    def layer(self, precision: Precision = "fp32", element: int = 4) -> Layer:
        """`element`: bytes of one value."""
        taken = self.taken or self.places * self.stride**2
        return Layer(
            name="",
            kind=self.kind,
            operators=("Conv",),
            nodes=(),
            precision=precision,
            multiply_adds=self.multiply_adds,
            reads=self.inputs * self.groups * taken * element,
            weights=self.weights * element,
            writes=self.outputs * self.places * 4,
            places=self.places,
            inputs=self.inputs,
            outputs=self.outputs,
            window=self.window,
            stride=self.stride,
        )


def padded(channels: int) -> int:
    return -(-channels // BLOCK) * BLOCK


def carrying(kind: Kind, shape: Sequence[int], reads: int, writes: int, weights: int = 0) -> Layer:
    """What computes little: `shape` is that of its output, or of its input where that is the larger; bytes."""
    rows, places = rows_and_places(shape)
    return Layer("", kind, (), (), "fp32", 0, reads, weights, writes, places=places, outputs=rows)


def pooling(shape: Sequence[int], window: int, stride: int) -> Layer:
    """`shape` is that of its output; it is taken to look at every element of every window."""
    values = math.prod(shape)
    layer = carrying("pooling", shape, 4 * values * window, 4 * values)
    return replace(layer, window=window, stride=stride)


def rows_and_places(shape: Sequence[int]) -> Tuple[int, int]:
    """Rows (all leading sizes to the channels) and places of each."""
    leading = 2 if len(shape) > 2 else max(len(shape) - 1, 0)
    return max(math.prod(shape[:leading]), 1), max(math.prod(shape[leading:]), 1)
