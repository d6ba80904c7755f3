"""One engine at work: its stream, what it takes and the values it gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import BundleError, DeviceError
from edgecvar.runners.layer_times import LayerTally
from edgecvar.runners.runner import Gathered, History, rows_of
from edgecvar.runners.tensorrt.api import EngineTensor, Execution
from edgecvar.runners.tensorrt.cuda import (
    CapturedGraph,
    GraphDriver,
    Rows,
    copy,
    copy_slot,
    new_event,
    new_stream,
    upload,
)
from edgecvar.runners.tensorrt.layer_times import profiler_into
from edgecvar.runners.tensorrt.log import BuildLog
from edgecvar.runners.tensorrt.memory import DeviceValue, StageMemory
from edgecvar.terminal import say

if TYPE_CHECKING:
    import pycuda.driver as driver

REBUILD = "remove {folder} and run again: the engines are built anew"


class DeviceStage:
    """Launches one engine on a stream of its own."""

    def __init__(
        self, file: Path, memory: StageMemory, execution: Execution, graphs: Optional[GraphDriver], log: BuildLog
    ) -> None:
        self.memory = memory
        self._file = file
        self._name = memory.stage.name
        self._execution = execution
        self._graphs = graphs
        self._graph: Optional[CapturedGraph] = None
        self._log = log
        self._batch = 0
        self._runs = 0
        self._stream: Optional[driver.Stream] = None
        self._inputs_free: Optional[driver.Event] = None

    def open(self) -> None:
        """Take memory and a stream; raises DeviceError. `close` and `memory.free` undo it, also after half of it."""
        if not self._execution.open_context():
            raise self._failure("cannot be run (out of memory?)")
        self.memory.allocate()
        self._stream = new_stream()
        # Recorded behind the copies to the engine's inputs: from there on what they came from may be written anew.
        self._inputs_free = new_event()
        if not self._execution.set_addresses(self.memory.addresses):
            raise self._failure("does not take the addresses of its tensors")

    def launch(self, inputs: Mapping[str, Any]) -> List[DeviceValue]:
        """Start the stage on arrays or device values, each (B, *shape), histories of device values, or any gathered.

        What it gives, in the order of StageSpec.gives.
        """
        batch = self._check(inputs)
        if batch != self._batch:
            self._set_batch(batch)
        stream, _ = self._opened()
        self._take_inputs(inputs)
        self._enqueue(stream.handle)
        values = []
        for tensor, result in self.memory.results.items():
            buffer = self.memory.take(tensor)
            for event in buffer.readers.values():
                stream.wait_for_event(event)
            buffer.readers.clear()
            copy(Rows(buffer, batch), Rows(result, batch), stream)
            buffer.written.record(stream)
            values.append(self.memory.lend(tensor, batch, buffer))
        return values

    def time_layers(self, inputs: Mapping[str, Any], runs: int) -> Tuple[LayerTally, str]:
        """The layers' times of `runs` runs after one that only warms up, without a graph, which tells none.

        With it what the engine says of its layers, in JSON.
        """
        batch = self._check(inputs)
        if batch != self._batch:
            self._set_batch(batch)
        stream, _ = self._opened()
        self._take_inputs(inputs)
        tally, execution = LayerTally(), self._execution
        execution.profile_into(profiler_into(tally))
        try:
            for run in range(1 + runs):
                if not execution.enqueue(stream.handle):
                    raise self._failure("was not run")
                stream.synchronize()
                if not execution.report_times():
                    raise self._failure("tells no times of its layers")
                tally.end_run(counts=run > 0)
        finally:
            execution.profile_into(None)
        try:
            return tally, execution.inspected()
        except UnicodeDecodeError:  # a layer's name that was cut within a character
            return tally, ""

    def close(self) -> None:
        """Wait for what runs, then let go of graph, context, engine and stream."""
        try:
            if self._stream is not None:
                self._stream.synchronize()
        finally:
            self._drop_graph()
            self._execution.close()
            self._inputs_free = None
            self._stream = None

    def _drop_graph(self) -> None:
        if self._graph is not None:
            self._graph.free()
            self._graph = None

    def _opened(self) -> Tuple[driver.Stream, driver.Event]:
        if self._stream is None or self._inputs_free is None:
            raise DeviceError(f"stage {self._name}: the runner was left")
        return self._stream, self._inputs_free

    def _check(self, inputs: Mapping[str, Any]) -> int:
        """The batch size; raises BundleError where names, shapes or types are not the stage's."""
        if set(inputs) != set(self.memory.inputs):
            got, expected = ", ".join(sorted(inputs)), ", ".join(sorted(self.memory.inputs))
            raise BundleError(f"stage {self._name}: inputs {got}, expected {expected}")
        batches: Set[int] = set()
        for name, value in inputs.items():
            if isinstance(value, History):
                batches.update(each.batch for each in value.values)
            else:
                batches.add(rows_of(value))
            for each in _gathered(value):
                if not self._fits(name, each):
                    shape = self.memory.hosts[name].shape[1:]
                    raise BundleError(
                        f"stage {self._name}: input {name} is {_describe(each)}, expected float32 B x {shape}"
                    )
        batch = batches.pop()
        if batches or not 1 <= batch <= self.memory.max_batch:
            sizes = ", ".join(str(size) for size in sorted({batch, *batches}))
            raise BundleError(
                f"stage {self._name}: {sizes} at once, expected one batch of 1 to {self.memory.max_batch}"
            )
        return batch

    def _fits(self, name: str, value: Any) -> bool:
        size = self.memory.inputs[name].item_bytes
        if isinstance(value, DeviceValue):
            return value.buffer.item_bytes == size
        if isinstance(value, History):
            return all(each.buffer.item_bytes * len(value.values) == size for each in value.values)
        array: NDArray[Any] = value
        return array.shape[1:] == self.memory.hosts[name].shape[1:] and array.dtype == np.float32

    def _set_batch(self, batch: int) -> None:
        stream, execution = self._opened()[0], self._execution
        stream.synchronize()
        self._drop_graph()
        self._batch = self._runs = 0
        profile = 1 if batch > 1 and execution.profiles > 1 else 0
        if not execution.use_profile(profile, stream.handle):
            raise self._failure(f"does not turn to its profile {profile}")
        for name, host in self.memory.hosts.items():
            if not execution.set_shape(name, (batch, *host.shape[1:])):
                raise self._failure(f"does not take input {name} of shape {(batch, *host.shape[1:])}")
        self._batch = batch

    def _take_inputs(self, inputs: Mapping[str, Any]) -> None:
        stream, inputs_free = self._opened()
        placed = list(self._placed(inputs))
        arrays = [(name, rows, value) for name, rows, value in placed if isinstance(value, np.ndarray)]
        if arrays:
            inputs_free.synchronize()
        for name, rows, value in arrays:
            np.copyto(self.memory.hosts[name][rows.first : rows.first + rows.count], value)
        for name, rows, value in placed:
            self._take_input(name, rows, value)
        inputs_free.record(stream)

    def _placed(self, inputs: Mapping[str, Any]) -> Iterator[Tuple[str, Rows, Any]]:
        """Each value with the rows of its input that it is for."""
        for name, value in inputs.items():
            first = 0
            for each in _gathered(value):
                yield name, Rows(self.memory.inputs[name], rows_of(each), first), each
                first += rows_of(each)

    def _take_input(self, name: str, target: Rows, value: Any) -> None:
        """Arrays are in the host's memory already."""
        stream, inputs_free = self._opened()
        if isinstance(value, DeviceValue):
            stream.wait_for_event(value.buffer.written)
            copy(target, value.rows, stream)
            value.buffer.readers[stream.handle] = inputs_free
        elif isinstance(value, History):
            for slot, each in enumerate(value.values):
                stream.wait_for_event(each.buffer.written)
                copy_slot(target, slot, each.rows, stream)
                each.buffer.readers[stream.handle] = inputs_free
        else:
            upload(target, self.memory.hosts[name][target.first : target.first + target.count], stream)

    def _enqueue(self, stream: int) -> None:
        """Run the engine: the first time as it is, which settles what a new shape changes, then as a graph."""
        execution = self._execution
        if self._graphs is not None and self._graph is None and self._runs > 0:
            self._graph = self._graphs.capture(stream, execution.enqueue)
            if self._graph is None:
                say(f"stage {self._name}: no CUDA graph of it can be made: launched as it is", err=True)
                self._graphs = None
        done = execution.enqueue(stream) if self._graph is None else self._graph.launch(stream)
        if not done:
            raise self._failure("was not run")
        self._runs += 1

    def _failure(self, what: str) -> DeviceError:
        again = REBUILD.format(folder=self._file.parent)
        return DeviceError(f"stage {self._name}: {self._file} {what}: {self._log.last_error()}; {again}")


def check_tensors(file: Path, stage: StageSpec, tensors: Sequence[EngineTensor]) -> Dict[str, str]:
    """The engine's inputs and outputs are the manifest's; what it calls its outputs. Raises BundleError.

    The stage's own output may have any name, as it has where it is the only one.
    """
    again = REBUILD.format(folder=file.parent)
    expected, gives = stage.takes, stage.gives
    inputs = {tensor.name: tensor for tensor in tensors if tensor.is_input}
    outputs = {tensor.name: tensor for tensor in tensors if not tensor.is_input}
    if set(inputs) != set(expected):
        got = ", ".join(sorted(inputs))
        raise BundleError(f"{file}: inputs {got}, but the manifest says {', '.join(sorted(expected))}; {again}")
    states = [each.next_name for each in stage.state]
    own = [name for name in outputs if name not in states]
    if len(own) != 1 or len(outputs) != len(gives):
        raise BundleError(f"{file}: outputs {', '.join(sorted(outputs))}, expected {', '.join(gives)}; {again}")
    names = {stage.name: own[0], **{name: name for name in states}}
    given = [(outputs[names[name]], shape) for name, shape in gives.items()]
    for tensor, shape in [*((inputs[name], expected[name]) for name in expected), *given]:
        if list(tensor.shape[1:]) != shape or not tensor.float32:
            kind = "float32" if tensor.float32 else "another type"
            raise BundleError(
                f"{file}: {tensor.name} is {list(tensor.shape)} of {kind}, expected batch + {shape} of float32; {again}"
            )
    return names


def _gathered(value: Any) -> Tuple[Any, ...]:
    """What lies one behind the other along the batch."""
    return value.values if isinstance(value, Gathered) else (value,)


def _describe(value: Any) -> str:
    if isinstance(value, DeviceValue):
        return f"the output of {value.stage}"
    if isinstance(value, History):
        return f"{len(value.values)} of {_describe(value.values[0])}"
    array: NDArray[Any] = value
    return f"{array.dtype} {array.shape}"
