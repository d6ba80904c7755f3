"""What figures depend on: processor, device, power mode and versions; nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Dict, Optional, Sequence

from edgecvar.bundle.devices import DEVICE_TREE_MODEL, detect_device, l4t_release
from edgecvar.errors import ConfigError

PACKAGES: Dict[str, Sequence[str]] = {
    "numpy": ("numpy",),
    "av": ("av",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
    "pycuda": ("pycuda",),
    "torch": ("torch",),
}
"""By module, the distributions that bring it."""

NVPMODEL_SECONDS = 5


def machine_facts() -> Dict[str, str]:
    """Processor, cores that may be used, system and Python."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def device_facts() -> Dict[str, str]:
    """The device, and on a Jetson its board, its release of Jetson Linux and its power mode."""
    try:
        device = detect_device()
        title = device.title if device.name != "cpu" else "no Jetson"
    except ConfigError:
        title = "a Jetson that is not in the table"
    facts = {"device": title}
    l4t = l4t_release()
    if l4t is not None:
        facts["board"] = _board()
        facts["jetpack"] = f"L4T {l4t}"
        facts["power mode"] = power_mode() or "unknown (nvpmodel -q tells it)"
    return facts


def package_versions() -> Dict[str, str]:
    """Versions of what is installed of PACKAGES; nothing is imported for it."""
    versions = {module: _version(module, names) for module, names in PACKAGES.items()}
    return {module: version for module, version in versions.items() if version is not None}


def power_mode(program: str = "nvpmodel") -> Optional[str]:
    """The name of a Jetson's power mode, such as "MAXN"; None where nvpmodel does not tell it."""
    try:
        done = subprocess.run(
            [program, "-q"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=NVPMODEL_SECONDS
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    match = re.search(r"^NV Power Mode:\s*(\S+)", done.stdout, re.MULTILINE)
    return match.group(1) if match else None


def _version(module: str, distributions: Sequence[str]) -> Optional[str]:
    loaded = getattr(sys.modules.get(module), "__version__", None)
    if loaded is not None:
        return str(loaded)
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return None


def _board() -> str:
    """What the device tree calls the board, such as "NVIDIA Jetson Orin Nano Developer Kit"."""
    try:
        return DEVICE_TREE_MODEL.read_text(encoding="utf-8", errors="replace").replace("\0", " ").strip()
    except OSError:
        return "no device tree"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.lower().startswith(("model name", "hardware")):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
