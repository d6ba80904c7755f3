"""I-pictures on an NVIDIA GPU, through PyAV."""

from __future__ import annotations

import numpy as np

from edgecvar.errors import StreamError
from edgecvar.stream.decoders import KeyDecoder, cuda_context
from edgecvar.stream.images.decoder import CodedPlanes, packed_nv12

NODES = ("/dev/nvidia[0-9]*", "/dev/dxg")
"""Device files, one of which is there where there is a GPU."""


class CudaDevice:
    """Raises DeviceError where there is no GPU, no driver, or a PyAV that cannot use them."""

    def __init__(self, codec: str) -> None:
        self._decoder = KeyDecoder(cuda_context(codec))

    def decode(self, unit: bytes, seconds: float) -> CodedPlanes:
        """Raises StreamError; the time is not looked at, the caller's thread does."""
        frame = self._decoder.frame(b"", unit)
        planes = [
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height]
            for plane in frame.planes
        ]
        columns = frame.width // 2
        if frame.format.name == "nv12":
            return packed_nv12(planes[0][:, : frame.width], planes[1][:, : 2 * columns])
        if frame.format.name in ("yuv420p", "yuvj420p"):
            return CodedPlanes(planes[0][:, : frame.width], planes[1][:, :columns], planes[2][:, :columns])
        raise StreamError(f"it gives samples of the form {frame.format.name}")

    def close(self) -> None:
        """Nothing is left to do: the context goes with the object."""
