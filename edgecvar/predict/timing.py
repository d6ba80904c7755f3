"""How long a layer takes on a GPU: the larger of computing and of carrying, and never less than a kernel takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.predict.hardware import Gpu
from edgecvar.predict.prediction import LayerTime
from edgecvar.predict.work import Layer

MATRIX = ("dense", "pointwise", "grouped", "matmul")
"""Kinds that tensor cores compute, where there are any."""
VECTOR = ("depthwise", "pooling", "elementwise", "reduction", "movement")
KINDS: Tuple[str, ...] = (*MATRIX, *VECTOR)
FAMILIES: Tuple[str, ...] = ("maxwell", "pascal", "volta", "ampere", "blackwell")

PRIOR: Dict[str, Tuple[float, float]] = {
    "dense": (0.6, 0.5),
    "winograd": (1.5, 0.3),
    "pointwise": (0.5, 0.5),
    "grouped": (0.3, 0.7),
    "matmul": (0.4, 0.5),
    "tensor": (0.7, 0.4),
    "int8": (0.8, 0.3),
    "fill": (0.3, 0.7),
    "tensor_fill": (0.5, 0.7),
    "depthwise": (0.2, 0.7),
    "depthwise_cores": (0.1, 0.7),
    "vector": (0.25, 0.5),
    "memory": (0.6, 0.4),
    "kernel_us": (6.0, 0.4),
    "graph": (0.6, 0.4),
    "call_us": (100.0, 0.5),
    "maxwell": (1.0, 0.2),
    "pascal": (1.0, 0.2),
    "volta": (1.0, 0.2),
    "ampere": (1.0, 0.2),
    "blackwell": (1.0, 0.2),
}
"""What is believed of each coefficient before anything is measured, and how firmly: a standard deviation of its log.

By kind, the part of its peak that a large layer reaches; `winograd`, what 3 x 3 convolutions are faster on cores;
`tensor`, what tensor cores reach of those parts; `int8`, what int8 does of theirs; `fill` and `tensor_fill`, tiles that
a multiprocessor wants for half its speed; `depthwise_cores`, `depthwise` of GPUs without tensor cores; `vector`, of
what is no product; `memory`, part of the bandwidth; microseconds of a kernel and of a call at 1 GHz; `graph`, what is
left of the former in a CUDA graph; what a family's parts are times those of all.
"""
TILE = 64
"""Rows and columns of the tiles that a matrix product is cut into."""
OTHER_OPERATIONS = 4.0
"""Of an element that no multiply-add is counted for."""

Coefficients = Mapping[str, float]


@dataclass(frozen=True)
class Costs:
    """Layers of any number of calls as arrays, (L,) each: what each asks for, and what the GPU that runs it has.

    `first`, (C,): the place of each call's first layer.
    """

    kinds: NDArray[np.int64]
    operations: NDArray[np.float64]
    moved: NDArray[np.float64]
    peaks: NDArray[np.float64]
    int8: NDArray[np.float64]
    tensor: NDArray[np.bool_]
    winograd: NDArray[np.float64]
    graph: NDArray[np.float64]
    tiles: NDArray[np.float64]
    bandwidth: NDArray[np.float64]
    clock_ghz: NDArray[np.float64]
    families: NDArray[np.int64]
    first: NDArray[np.int64]

    @staticmethod
    def of(layers: Sequence[Layer], gpu: Gpu, rows: int = 1, graph: bool = True) -> Costs:
        """One call, in which `rows` of a batch go through each kernel, which reads its weights once.

        `graph`: launched as a CUDA graph, as edgecvar does.
        """
        tensor = [gpu.on_tensor_cores(layer.precision) and layer.kind in MATRIX for layer in layers]
        small = [layer.window == 9 and layer.stride == 1 and layer.kind == "dense" for layer in layers]
        own = [gpu.matrix if layer.kind in MATRIX else gpu.vector for layer in layers]
        narrow = [layer.precision == "int8" and layer.kind in MATRIX for layer in layers]
        elements = [2.0 * layer.multiply_adds or OTHER_OPERATIONS * layer.places * layer.outputs for layer in layers]
        tiles = [-(-layer.places * rows // TILE) * -(-layer.outputs // TILE) for layer in layers]
        # Of depthwise convolutions cores are no faster in fp16: published figures have them alike.
        wide = [layer.kind == "depthwise" and not gpu.on_tensor_cores("fp16") for layer in layers]
        peaks = [
            each["fp32"] if full else each.get(layer.precision, each["fp16"])
            for each, layer, full in zip(own, layers, wide)
        ]
        return Costs(
            kinds=np.array([KINDS.index(layer.kind) for layer in layers], np.int64),
            operations=rows * np.array(elements, np.float64),
            moved=np.array([rows * (layer.reads + layer.writes) + layer.weights for layer in layers], np.float64),
            peaks=np.array(peaks, np.float64),
            int8=np.array(narrow, np.float64),
            tensor=np.array(tensor),
            winograd=np.array([one and not other for one, other in zip(small, tensor)], np.float64),
            graph=np.full(len(layers), float(graph)),
            tiles=np.array(tiles, np.float64) / gpu.multiprocessors,
            bandwidth=np.full(len(layers), gpu.bandwidth),
            clock_ghz=np.full(len(layers), gpu.clock_ghz),
            families=np.full(len(layers), FAMILIES.index(gpu.family)),
            first=np.zeros(1, np.int64),
        )

    @staticmethod
    def joined(calls: Sequence[Costs]) -> Costs:
        """Several calls, one behind the other."""
        starts = np.cumsum([0, *(len(call.kinds) for call in calls[:-1])])
        arrays = {name: np.concatenate([getattr(call, name) for call in calls]) for name in Costs.__dataclass_fields__}
        return Costs(**{**arrays, "first": np.concatenate([call.first + start for call, start in zip(calls, starts)])})

    def parts_us(self, found: Coefficients) -> Tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Microseconds that each layer computes, carries, and takes at least as a kernel, (L,) each."""
        cores = self.families < FAMILIES.index("volta")
        reached = np.array([found.get(kind, found["vector"]) for kind in KINDS])[self.kinds]
        reached = np.where((self.kinds == KINDS.index("depthwise")) & cores, found["depthwise_cores"], reached)
        reached = reached * found["winograd"] ** self.winograd * np.where(self.tensor, found["tensor"], 1.0)
        wanted = np.where(self.tensor, found["tensor_fill"], found["fill"])
        filled = np.where(self.kinds < len(MATRIX), self.tiles / (self.tiles + wanted), 1.0)
        family = np.array([found[name] for name in FAMILIES])[self.families]
        reached = reached * found["int8"] ** self.int8 * family * filled
        compute = self.operations / (1e3 * self.peaks * reached)
        carry = self.moved / (1e3 * self.bandwidth * found["memory"])
        return compute, carry, found["kernel_us"] * found["graph"] ** self.graph / self.clock_ghz

    def call_ms(self, found: Coefficients) -> NDArray[np.float64]:
        """Milliseconds of each call of a stage, its transfers included, (C,)."""
        compute, carry, kernel = self.parts_us(found)
        layers = np.add.reduceat(np.maximum(compute, carry) + kernel, self.first)
        calls: NDArray[np.float64] = (layers + found["call_us"] / self.clock_ghz[self.first]) / 1e3
        return calls


def time_layers(layers: Sequence[Layer], gpu: Gpu, found: Coefficients, rows: int = 1) -> List[LayerTime]:
    """Each layer's time for `rows` at once, and what bounds it."""
    if not layers:
        return []
    costs = Costs.of(layers, gpu, rows)
    compute, carry, kernels = costs.parts_us(found)
    times = []
    for layer, computing, carrying, kernel in zip(layers, compute.tolist(), carry.tolist(), kernels.tolist()):
        larger = max(computing, carrying)
        times.append(
            LayerTime(
                name=layer.name,
                kind=layer.kind,
                precision=layer.precision,
                nodes=list(layer.nodes),
                multiply_adds=layer.multiply_adds,
                bytes=layer.moved,
                ms=(larger + kernel) / 1e3,
                bound="launch" if larger < kernel else "compute" if computing > carrying else "memory",
            )
        )
    return times
