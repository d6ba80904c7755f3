"""The one door to CUDA: pycuda's driver API, and CUDA graphs, which pycuda has not, from the driver library itself."""

from __future__ import annotations

import ctypes
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import DeviceError, import_reason

if TYPE_CHECKING:
    import pycuda.driver as driver

DRIVER_LIBRARY = "libcuda.so.1"
SUCCESS = 0
"""CUDA_SUCCESS."""
NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING."""
THREAD_LOCAL = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may allocate while one captures."""


_retained: Dict[int, driver.Context] = {}
"""Primary contexts by device, kept as long as the process, as TensorRT keeps them: pycuda lets go of one only in the
thread that retained it, and leaves it current there."""
_retaining = threading.Lock()


class CudaDevice:
    """A device and its primary context, the one that TensorRT's own CUDA calls use too. Entering it opens the driver.

    The context is current only within `current()`, so that whoever else uses CUDA in this process keeps theirs.
    """

    def __init__(self, index: int = 0) -> None:
        self.index = index
        self.gpu = ""
        self.sm = ""
        self._context: Optional[driver.Context] = None

    def __enter__(self) -> CudaDevice:
        try:
            import pycuda.driver as driver
        except (ImportError, OSError) as error:
            raise DeviceError(
                f"pycuda cannot be imported ({import_reason(error)}): `pip install edgecvar[device]` on a Jetson, "
                "`pip install edgecvar[gpu]` elsewhere; or use --runner onnx"
            ) from error
        try:
            driver.init()
            if self.index >= driver.Device.count():
                raise DeviceError(f"no CUDA device {self.index}: this machine has {driver.Device.count()}")
            device: driver.Device = driver.Device(self.index)
            cores = device.get_attribute(driver.device_attribute.MULTIPROCESSOR_COUNT)
            self.gpu = gpu_title(device.name(), cores)
            self.sm = "sm{}{}".format(*device.compute_capability())
            with _retaining:
                if self.index not in _retained:
                    _retained[self.index] = device.retain_primary_context()
                self._context = _retained[self.index]
        except driver.Error as error:
            raise DeviceError(f"CUDA device {self.index} cannot be opened: {error}; or use --runner onnx") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._context = None

    @contextmanager
    def current(self, doing: str) -> Iterator[None]:
        """Make the context this thread's; what CUDA refuses meanwhile becomes a DeviceError that names `doing`."""
        import pycuda.driver as driver

        if self._context is None:
            raise DeviceError(f"{doing}: the CUDA device is closed")
        context: driver.Context = self._context
        context.push()
        try:
            yield
        except driver.MemoryError as error:
            raise DeviceError(f"{doing}: out of device memory ({error}); close other programs and run again") from error
        except driver.Error as error:
            raise DeviceError(f"{doing}: CUDA says {error}; see dmesg on a Jetson, and run again") from error
        finally:
            driver.Context.pop()


def gpu_title(name: str, multiprocessors: int) -> str:
    """A GPU by name and size: all of Jetson Orin's have one name."""
    return f"{name}, {multiprocessors} multiprocessors"


class DeviceBuffer:
    """float32 memory on the device for arrays up to `shape`, batch first.

    `written`: recorded behind the work that writes it. `readers`: by stream, recorded behind the work that reads it;
    whoever writes it anew waits for them.
    """

    def __init__(self, shape: Tuple[int, ...]) -> None:
        import pycuda.driver as driver

        self.item_bytes = int(np.prod(shape[1:], dtype=np.int64)) * 4
        self.memory: driver.DeviceAllocation = driver.mem_alloc(max(1, shape[0]) * self.item_bytes)
        self.written: driver.Event = new_event()
        self.readers: Dict[int, driver.Event] = {}

    @property
    def address(self) -> int:
        return int(self.memory)


def new_stream() -> driver.Stream:
    """A stream of the current context; it does not wait for the default stream, on which others may work."""
    import pycuda.driver as driver

    return driver.Stream(flags=NON_BLOCKING)


def new_event() -> driver.Event:
    """An event that takes no time stamp, and on which the CPU sleeps rather than spins."""
    import pycuda.driver as driver

    return driver.Event(flags=driver.event_flags.DISABLE_TIMING | driver.event_flags.BLOCKING_SYNC)


def page_locked(shape: Tuple[int, ...]) -> NDArray[np.float32]:
    """Host memory that the device copies from and to while the CPU does something else."""
    import pycuda.driver as driver

    array: NDArray[np.float32] = driver.pagelocked_empty(shape, np.float32)
    return array


@dataclass(frozen=True, eq=False)
class Rows:
    """Some of a buffer's batch: `count` from `first` on."""

    buffer: DeviceBuffer
    count: int
    first: int = 0

    @property
    def address(self) -> int:
        return self.buffer.address + self.first * self.buffer.item_bytes


def upload(target: Rows, host: NDArray[np.float32], stream: driver.Stream) -> None:
    """Start to copy page-locked memory to the device."""
    import pycuda.driver as driver

    driver.memcpy_htod_async(target.address, host, stream)


def download(host: NDArray[np.float32], source: Rows, stream: driver.Stream) -> None:
    """Start to copy from the device to page-locked memory."""
    import pycuda.driver as driver

    driver.memcpy_dtoh_async(host, source.address, stream)


def copy(target: Rows, source: Rows, stream: driver.Stream) -> None:
    """Start to copy on the device, to as many rows of the same size."""
    import pycuda.driver as driver

    driver.memcpy_dtod_async(target.address, source.address, source.count * source.buffer.item_bytes, stream)


def copy_slot(target: Rows, slot: int, source: Rows, stream: driver.Stream) -> None:
    """Start to copy to place `slot` of each of the target's rows, which hold several of the source's."""
    import pycuda.driver as driver

    size = source.buffer.item_bytes
    for item in range(source.count):
        place = target.address + item * target.buffer.item_bytes + slot * size
        driver.memcpy_dtod_async(place, source.address + item * size, size, stream)


def driver_library() -> Any:
    """CUDA's driver library, which pycuda has loaded already; raises OSError."""
    return ctypes.CDLL(DRIVER_LIBRARY)


class GraphDriver:
    """CUDA graphs by stream capture, called in the driver library: CUDA 10.1 and later have all of these functions."""

    def __init__(self) -> None:
        self._library: Any = driver_library()

    def capture(self, stream: int, enqueue: Callable[[int], bool]) -> Optional[CapturedGraph]:
        """What `enqueue` puts into the stream, as a graph; None where the driver or TensorRT cannot."""
        if self._library.cuStreamBeginCapture_v2(ctypes.c_void_p(stream), THREAD_LOCAL) != SUCCESS:
            return None
        graph = ctypes.c_void_p()
        try:
            done = enqueue(stream)
        finally:
            ended = self._library.cuStreamEndCapture(ctypes.c_void_p(stream), ctypes.byref(graph))
        captured = None
        if done and ended == SUCCESS and graph.value:
            captured = self._instantiate(graph)
        if graph.value:
            self._library.cuGraphDestroy(graph)
        return captured

    def _instantiate(self, graph: ctypes.c_void_p) -> Optional[CapturedGraph]:
        executable = ctypes.c_void_p()
        if hasattr(self._library, "cuGraphInstantiateWithFlags"):
            status = self._library.cuGraphInstantiateWithFlags(ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
        else:
            # Before CUDA 11.4; the last three are for a message of what failed.
            status = self._library.cuGraphInstantiate(
                ctypes.byref(executable), graph, ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t(0)
            )
        return CapturedGraph(self._library, executable) if status == SUCCESS else None


class CapturedGraph:
    """Work that is launched as one."""

    def __init__(self, library: Any, executable: ctypes.c_void_p) -> None:
        self._library = library
        self._executable = executable

    def launch(self, stream: int) -> bool:
        return bool(self._library.cuGraphLaunch(self._executable, ctypes.c_void_p(stream)) == SUCCESS)

    def free(self) -> None:
        self._library.cuGraphExecDestroy(self._executable)
