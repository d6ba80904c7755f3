"""NVIDIA's real Python bindings of TensorRT, imported without TensorRT: stub libraries define what they want linked.

Each version is imported once, under a name of its own, so that all of them live in one process.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import List, Optional

from tests.contracts.fetch_bindings import FOLDER, PACKAGES

VERSIONS = list(PACKAGES)


def why_not(version: str) -> Optional[str]:
    """Why this version cannot be imported here, in one line; None where it can."""
    if not (FOLDER / version / "tensorrt_bindings").is_dir():
        return f"the bindings of TensorRT {version} are not there for this Python: run `make bindings`"
    absent = [tool for tool in ("gcc", "nm", "readelf") if shutil.which(tool) is None]
    return f"the stub libraries want {', '.join(absent)}" if absent else None


@functools.lru_cache(maxsize=None)
def real_tensorrt(version: str) -> ModuleType:
    """The real `tensorrt` module of `version`; nothing in it that calls the library works."""
    package = FOLDER / version / "tensorrt_bindings"
    _load_stubs(package / "tensorrt.so", FOLDER / version / "stubs")
    name = "tensorrt_" + version.replace(".", "_")
    spec = importlib.util.spec_from_file_location(name, package / "__init__.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _load_stubs(binding: Path, folder: Path) -> None:
    """Load libraries with the names that `binding` wants, the first one with all the functions it wants."""
    folder.mkdir(exist_ok=True)
    wanted = re.findall(r"\(NEEDED\).*\[(libnv.*)\]", _output("readelf", "-d", str(binding)))
    functions = "\n".join(f"void *{symbol}(void) {{ return 0; }}" for symbol in _undefined(binding))
    for library, source in zip(wanted, [functions, *[""] * len(wanted)]):
        if not (folder / library).exists():
            draft = folder / f".{library}.{os.getpid()}"
            command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(draft), f"-Wl,-soname,{library}"]
            subprocess.run(command, input=source, text=True, check=True)
            draft.rename(folder / library)
        ctypes.CDLL(str(folder / library))


def _undefined(binding: Path) -> List[str]:
    """Functions that `binding` wants and that neither Python nor the C and C++ libraries (versioned) define."""
    listed = re.findall(r"^\s+U (\S+)$", _output("nm", "-D", "--undefined-only", str(binding)), re.MULTILINE)
    return [symbol for symbol in listed if "@" not in symbol and not re.match("_?Py|dl|pthread", symbol)]


def _output(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
