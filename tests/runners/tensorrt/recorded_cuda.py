"""pycuda's driver and the CUDA driver library, played on the CPU: what is done is recorded, and races are found.

Work runs at once, in the order of the calls. Whether a device could have run it in another order is told by vector
clocks: each stream and the host have one, events carry them, and two accesses to the same memory of which one writes
must be ordered by them.
"""

from __future__ import annotations

import ctypes
from types import ModuleType, SimpleNamespace
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

HOST = 0
Clock = Dict[int, int]


class Error(Exception):
    """pycuda's parent of all."""


class MemoryError_(Error):
    """pycuda.driver.MemoryError."""


class Clocks:
    """Who has seen what."""

    def __init__(self) -> None:
        self.of: Dict[int, Clock] = {HOST: {HOST: 1}}
        self.writer: Dict[Any, Tuple[int, int]] = {}
        self.readers: Dict[Any, List[Tuple[int, int]]] = {}
        self.races: List[str] = []

    def see(self, actor: int, seen: Clock) -> None:
        own = self.of.setdefault(actor, {})
        for other, tick in seen.items():
            own[other] = max(own.get(other, 0), tick)

    def step(self, actor: int) -> None:
        """One more piece of work of `actor`, which the host has asked for."""
        self.see(actor, self.of[HOST])
        self.of[actor][actor] = self.of[actor].get(actor, 0) + 1

    def touch(self, actor: int, what: Any, writes: bool) -> None:
        """`actor` reads or writes memory; noted in `races` where others' accesses may happen meanwhile."""
        before = [self.writer[what]] if what in self.writer else []
        before += self.readers.get(what, []) if writes else []
        for other, tick in before:
            if self.of[actor].get(other, 0) < tick:
                self.races.append(f"{actor} {'writes' if writes else 'reads'} {what} while {other} is at it")
        now = (actor, self.of[actor].get(actor, 0))
        if writes:
            self.writer[what], self.readers[what] = now, []
        else:
            self.readers.setdefault(what, []).append(now)


class Pinned(np.ndarray):
    """Page-locked memory that tells who touches it."""

    cuda: Optional[RecordedCuda] = None

    def __array_finalize__(self, parent: Any) -> None:
        self.cuda = getattr(parent, "cuda", None)

    def touched(self, actor: int, writes: bool) -> None:
        root = self
        while isinstance(root.base, Pinned):
            root = root.base
        assert self.cuda is not None
        self.cuda.clocks.touch(actor, f"host {id(root)}", writes)

    def __array_function__(self, function: Any, types: Any, arguments: Any, named: Any) -> Any:
        if function is np.copyto:
            arguments[0].cuda.clocks.step(HOST)
            arguments[0].touched(HOST, writes=True)
        return super().__array_function__(function, types, arguments, named)

    def copy(self, *arguments: Any) -> Any:
        self.touched(HOST, writes=False)
        return np.array(self)


class RecordedCuda:
    """One device. `calls`: what was done, in order; `fail`: call name to the error it raises."""

    def __init__(self, capability: Tuple[int, int] = (8, 7)) -> None:
        self.calls: List[Tuple[Any, ...]] = []
        self.fail: Dict[str, Exception] = {}
        self.clocks = Clocks()
        self.memory: Dict[int, np.ndarray] = {}
        self.alive: Dict[str, int] = {"context": 0, "memory": 0, "graph": 0}
        self.current = 0
        self.capturing: Optional[List[Callable[[], bool]]] = None
        self.graphs: Dict[int, List[Callable[[], bool]]] = {}
        self.can_capture = True
        self._capability = capability
        self._next = 0x1000
        self.driver = self._driver()
        self.library = DriverLibrary(self)

    def install(self, monkeypatch: Any) -> None:
        package = ModuleType("pycuda")
        package.driver = self.driver  # type: ignore[attr-defined]
        monkeypatch.setitem(__import__("sys").modules, "pycuda", package)
        monkeypatch.setitem(__import__("sys").modules, "pycuda.driver", self.driver)
        monkeypatch.setattr("edgecvar.runners.tensorrt.cuda.driver_library", lambda: self.library)
        monkeypatch.setattr("edgecvar.runners.tensorrt.cuda._retained", {}, raising=False)

    def note(self, name: str, *details: Any) -> None:
        self.calls.append((name, *details))
        if name in self.fail:
            # A new one each time, as a driver does: one that is raised again while it is handled is its own cause.
            raise type(self.fail[name])(*self.fail[name].args)

    def names(self) -> List[str]:
        return [call[0] for call in self.calls]

    def new(self, size: int = 0x100) -> int:
        self._next += max(0x100, size)
        return self._next - max(0x100, size)

    def floats(self, address: int, shape: Tuple[int, ...]) -> np.ndarray:
        """The float32 array at a device address."""
        base, size = self.base(address), int(np.prod(shape)) * 4
        part = self.memory[base][address - base :][:size]
        assert len(part) == size, "past the end of an allocation"
        return part.view(np.float32).reshape(shape)

    def base(self, address: int) -> int:
        """The allocation that an address is in."""
        return max(base for base in self.memory if base <= address)

    def work(self, stream: int, reads: List[int], writes: List[int], does: Callable[[], None]) -> bool:
        """Something that a stream does with device memory, or what a capture keeps for later."""

        def run(on: int = stream) -> bool:
            self.clocks.step(on)
            for address in reads:
                self.clocks.touch(on, hex(self.base(address)), writes=False)
            for address in writes:
                self.clocks.touch(on, hex(self.base(address)), writes=True)
            does()
            return True

        if self.capturing is None:
            return run()
        self.capturing.append(run)
        return True

    def _driver(self) -> ModuleType:
        module = ModuleType("pycuda.driver")
        cuda = self

        class Context:
            def push(self) -> None:
                cuda.current += 1

            @staticmethod
            def pop() -> None:
                cuda.current -= 1

            def detach(self) -> None:
                # As pycuda's of a primary context does: released, and current from then on.
                cuda.note("detach")
                cuda.alive["context"] -= 1
                cuda.current += 1

        class Device:
            def __init__(self, index: int) -> None:
                cuda.note("Device", index)

            @staticmethod
            def count() -> int:
                return 1

            def name(self) -> str:
                return "a recorded device"

            def get_attribute(self, attribute: str) -> int:
                return {"multiprocessors": 8}[attribute]

            def compute_capability(self) -> Tuple[int, int]:
                return cuda._capability

            def retain_primary_context(self) -> Context:
                cuda.note("retain")
                cuda.alive["context"] += 1
                return Context()

        class Stream:
            def __init__(self, flags: int = 0) -> None:
                cuda.needs_context()
                self.handle = cuda.new()
                cuda.note("Stream", self.handle, flags)

            def wait_for_event(self, event: Event) -> None:
                cuda.note("wait", self.handle)
                cuda.clocks.see(self.handle, event.clock)

            def synchronize(self) -> None:
                cuda.note("synchronize", self.handle)
                cuda.clocks.see(HOST, cuda.clocks.of.get(self.handle, {}))

        class Event:
            def __init__(self, flags: int = 0) -> None:
                cuda.needs_context()
                self.clock: Clock = {}

            def record(self, stream: Stream) -> Event:
                cuda.note("record", stream.handle)
                cuda.clocks.step(stream.handle)
                self.clock = dict(cuda.clocks.of[stream.handle])
                return self

            def synchronize(self) -> Event:
                cuda.clocks.see(HOST, self.clock)
                return self

        class DeviceAllocation:
            def __init__(self, size: int) -> None:
                cuda.needs_context()
                cuda.note("mem_alloc", size)
                self.address = cuda.new(size)
                cuda.memory[self.address] = np.full(size, 255, np.uint8)
                cuda.alive["memory"] += 1

            def __int__(self) -> int:
                return self.address

            def free(self) -> None:
                cuda.needs_context()
                cuda.note("free", self.address)
                del cuda.memory[self.address]
                cuda.alive["memory"] -= 1

        def pagelocked_empty(shape: Tuple[int, ...], dtype: Any, order: str = "C", mem_flags: int = 0) -> np.ndarray:
            cuda.needs_context()
            array = np.full(shape, np.nan, dtype).view(Pinned)
            array.cuda = cuda
            return array

        def memcpy_htod_async(dest: int, src: Pinned, stream: Stream) -> None:
            cuda.note("htod", stream.handle, dest, src.nbytes)
            value = np.array(src)
            cuda.work(stream.handle, [], [dest], lambda: np.copyto(cuda.floats(dest, value.shape), value))
            src.touched(stream.handle, writes=False)

        def memcpy_dtoh_async(dest: Pinned, src: int, stream: Stream) -> None:
            cuda.note("dtoh", stream.handle, src, dest.nbytes)
            plain = dest.view(np.ndarray)
            cuda.work(stream.handle, [src], [], lambda: np.copyto(plain, cuda.floats(src, plain.shape)))
            dest.touched(stream.handle, writes=True)

        def memcpy_dtod_async(dest: int, src: int, size: int, stream: Stream) -> None:
            cuda.note("dtod", stream.handle, dest, src, size)
            shape = (size // 4,)
            cuda.work(
                stream.handle, [src], [dest], lambda: np.copyto(cuda.floats(dest, shape), cuda.floats(src, shape))
            )

        flags = SimpleNamespace(DISABLE_TIMING=2, BLOCKING_SYNC=1)
        vars(module).update(
            {"Error": Error, "MemoryError": MemoryError_, "init": lambda: cuda.note("init"), "event_flags": flags},
            device_attribute=SimpleNamespace(MULTIPROCESSOR_COUNT="multiprocessors"),
            Context=Context,
            Device=Device,
            Stream=Stream,
            Event=Event,
            DeviceAllocation=DeviceAllocation,
            mem_alloc=DeviceAllocation,
            pagelocked_empty=pagelocked_empty,
            memcpy_htod_async=memcpy_htod_async,
            memcpy_dtoh_async=memcpy_dtoh_async,
            memcpy_dtod_async=memcpy_dtod_async,
        )
        return module

    def needs_context(self) -> None:
        assert self.current > 0 and self.alive["context"] > 0, "no context is current"


class DriverLibrary:
    """The graph functions of libcuda, called by ctypes."""

    def __init__(self, cuda: RecordedCuda) -> None:
        self._cuda = cuda

    def cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: int) -> int:
        self._cuda.note("begin capture", stream.value, mode)
        self._cuda.capturing = []
        return 0

    def cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: Any) -> int:
        self._cuda.note("end capture", stream.value)
        captured, self._cuda.capturing = self._cuda.capturing, None
        if not self._cuda.can_capture or captured is None:
            return 901
        graph._obj.value = self._cuda.new()
        self._cuda.graphs[graph._obj.value] = captured
        return 0

    def cuGraphInstantiateWithFlags(self, executable: Any, graph: ctypes.c_void_p, flags: ctypes.c_ulonglong) -> int:
        assert flags.value == 0
        executable._obj.value = self._cuda.new()
        self._cuda.graphs[executable._obj.value] = self._cuda.graphs[graph.value or 0]
        self._cuda.alive["graph"] += 1
        return 0

    def cuGraphDestroy(self, graph: ctypes.c_void_p) -> int:
        del self._cuda.graphs[graph.value or 0]
        return 0

    def cuGraphLaunch(self, executable: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:
        self._cuda.note("launch graph", stream.value)
        return 0 if all(run() for run in self._cuda.graphs[executable.value or 0]) else 1

    def cuGraphExecDestroy(self, executable: ctypes.c_void_p) -> int:
        self._cuda.note("destroy graph")
        self._cuda.alive["graph"] -= 1
        return 0
