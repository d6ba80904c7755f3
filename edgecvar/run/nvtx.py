"""Ranges for NVIDIA's profilers (NVTX), in a domain of our own, by the package `nvtx` or CUDA's library.

https://github.com/NVIDIA/NVTX, c/include/nvtx3/nvToolsExt.h has the functions and `nvtxEventAttributes_t`. The library
is libnvToolsExt before CUDA 12.9, and libnvtx3interop from CUDA 12 on.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from importlib import import_module
from itertools import product
from typing import Any, Mapping, Optional

from edgecvar.errors import ConfigError
from edgecvar.run.trace import Ranges

DOMAIN = "edgecvar"
UNDER_NSIGHT = "NSYS_PROFILING_SESSION_ID"
"""Of the environment that Nsight Systems gives to what it starts."""
LIBRARIES = ("libnvtx3interop.so.1", "libnvToolsExt.so.1")
FOLDERS = ("", "/usr/local/cuda/lib64/")
_VERSION, _INT64, _ASCII = 2, 2, 1


def find_ranges(wanted: Optional[bool], environment: Mapping[str, str] = os.environ) -> Optional[Ranges]:
    """The ranges that were asked for; where nobody said, those there are under Nsight Systems, and else none.

    Raises ConfigError where they were asked for and neither the package nor a library is there.
    """
    if wanted is False or (wanted is None and UNDER_NSIGHT not in environment):
        return None
    found = _of_library() or _of_package()
    if found is None and wanted:
        names = " nor ".join(LIBRARIES)
        raise ConfigError(
            f"--nvtx: neither {names} is here, nor the package; pip install nvtx, or cuda-nvtx of JetPack"
        )
    return found


class _Attributes(ctypes.Structure):
    """`nvtxEventAttributes_t` of version 2, 48 bytes; zero is "not given"."""

    _fields_ = (
        ("version", ctypes.c_uint16),
        ("size", ctypes.c_uint16),
        ("category", ctypes.c_uint32),
        ("color_type", ctypes.c_int32),
        ("color", ctypes.c_uint32),
        ("payload_type", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("payload", ctypes.c_int64),
        ("message_type", ctypes.c_int32),
        ("message", ctypes.c_char_p),
    )


class LibraryRanges:
    """By a C library; raises AttributeError where it has not the functions."""

    def __init__(self, library: Any) -> None:
        library.nvtxDomainCreateA.restype = ctypes.c_void_p
        library.nvtxDomainCreateA.argtypes = [ctypes.c_char_p]
        self._push, self._pop = library.nvtxDomainRangePushEx, library.nvtxDomainRangePop
        self._push.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Attributes)]
        self._pop.argtypes = [ctypes.c_void_p]
        self._domain = library.nvtxDomainCreateA(DOMAIN.encode())

    def push(self, name: str, picture: Optional[int]) -> None:
        told = _Attributes(version=_VERSION, size=ctypes.sizeof(_Attributes), message_type=_ASCII)
        told.message = name.encode("utf-8", "replace")
        if picture is not None:
            told.payload_type, told.payload = _INT64, picture
        self._push(self._domain, ctypes.byref(told))

    def pop(self) -> None:
        self._pop(self._domain)


class PackageRanges:
    """By the Python package, whose older versions take no number of a picture."""

    def __init__(self, package: Any) -> None:
        self._package = package

    def push(self, name: str, picture: Optional[int]) -> None:
        self._package.push_range(name, domain=DOMAIN)

    def pop(self) -> None:
        self._package.pop_range(domain=DOMAIN)


def _of_package() -> Optional[Ranges]:
    try:
        return PackageRanges(import_module("nvtx"))
    except ImportError:
        return None


def _of_library() -> Optional[Ranges]:
    for folder, name in product(FOLDERS, LIBRARIES):
        with suppress(OSError, AttributeError):
            return LibraryRanges(ctypes.CDLL(folder + name))
    return None
