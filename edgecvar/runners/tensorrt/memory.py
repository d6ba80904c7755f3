"""What an engine takes, and the values on the device that it gives."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.stages import StageSpec
from edgecvar.runners.tensorrt.cuda import DeviceBuffer, Rows, page_locked


@dataclass(frozen=True, eq=False)
class DeviceValue:
    """What a stage gives, on the device (B, *shape), perhaps still computing; its memory lives as long as it.

    `tensor`: which of StageSpec.gives. `whole`: of which it is the rows from `first` on, where it is a part.
    """

    stage: str
    tensor: str
    batch: int
    buffer: DeviceBuffer
    first: int = 0
    whole: Optional[DeviceValue] = field(default=None, repr=False)

    @property
    def rows(self) -> Rows:
        return Rows(self.buffer, self.batch, self.first)

    def part(self, first: int, rows: int) -> DeviceValue:
        """Some of it, in the same memory."""
        return DeviceValue(self.stage, self.tensor, rows, self.buffer, self.first + first, self.whole or self)


class StageMemory:
    """What an engine reads and writes: always the same addresses, which a CUDA graph has fixed in it.

    Outputs are copied to buffers of a pool, and go back there with the last reference to their value: whoever walks
    the stages keeps a window's outputs for as long as it likes. A state takes two of its pool in turn, the one that is
    read and the one that is written. `engine_names`: what the engine calls the tensors of StageSpec.gives.
    """

    def __init__(self, stage: StageSpec, engine_names: Mapping[str, str], max_batch: int) -> None:
        self.max_batch = max_batch
        self.hosts: Dict[str, NDArray[np.float32]] = {}
        self.inputs: Dict[str, DeviceBuffer] = {}
        self.results: Dict[str, DeviceBuffer] = {}
        self.stage = stage
        self._engine_names = engine_names
        self._pools: Dict[str, List[DeviceBuffer]] = {name: [] for name in stage.gives}
        self._buffers: List[DeviceBuffer] = []

    def allocate(self) -> None:
        """Take the memory; `free` gives back what was taken, also after half of it."""
        for name, shape in self.stage.takes.items():
            self.hosts[name] = page_locked((self.max_batch, *shape))
            self.inputs[name] = self._make(shape)
        self.results = {name: self._make(shape) for name, shape in self.stage.gives.items()}

    @property
    def addresses(self) -> Dict[str, int]:
        """Device address by tensor name."""
        results = {self._engine_names[name]: buffer.address for name, buffer in self.results.items()}
        return {**{name: buffer.address for name, buffer in self.inputs.items()}, **results}

    def take(self, tensor: str) -> DeviceBuffer:
        """A buffer for an output that nobody holds."""
        return self._pools[tensor].pop() if self._pools[tensor] else self._make(self.stage.gives[tensor])

    def lend(self, tensor: str, batch: int, buffer: DeviceBuffer) -> DeviceValue:
        """A value over `buffer`, which comes back when nobody holds the value."""
        value = DeviceValue(self.stage.name, tensor, batch, buffer)
        weakref.finalize(value, self._pools[tensor].append, buffer).atexit = False
        return value

    def free(self) -> None:
        while self._buffers:
            self._buffers.pop().memory.free()
        for pool in self._pools.values():
            pool.clear()
        self.hosts.clear()

    def _make(self, shape: Sequence[int]) -> DeviceBuffer:
        buffer = DeviceBuffer((self.max_batch, *shape))
        self._buffers.append(buffer)
        return buffer
