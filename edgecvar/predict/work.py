"""What a stage asks of a device: its layers after fusion, counted for one row of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Tuple

from edgecvar.bundle.precision import Precision

Kind = Literal[
    "dense", "pointwise", "grouped", "depthwise", "matmul", "pooling", "elementwise", "reduction", "movement"
]
"""What bounds a layer: `dense` are convolutions whose kernel is larger than a place, `pointwise` those of 1 x 1,
`grouped` and `depthwise` by their groups; `matmul` has Gemm too; `movement` only carries values from place to place."""


@dataclass(frozen=True)
class Layer:
    """One kernel, or a few that go together: what it computes and what it carries to and from memory.

    `name` is that of the node that leads it, `nodes` are all that were fused into it, by name, as the graph has them.
    `precision`: what it computes in. `reads`, `weights` and `writes` are bytes. `places`: output elements of one
    channel; `inputs` and `outputs`: channels (of one group: `inputs`); `window`: elements of the kernel.
    """

    name: str
    kind: Kind
    operators: Tuple[str, ...]
    nodes: Tuple[str, ...]
    precision: Precision
    multiply_adds: int
    reads: int
    weights: int
    writes: int
    places: int = 1
    inputs: int = 1
    outputs: int = 1
    window: int = 1
    stride: int = 1

    @property
    def moved(self) -> int:
        """Bytes to and from memory."""
        return self.reads + self.weights + self.writes
