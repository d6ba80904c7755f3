"""What a device is and has, found out without changing anything there."""

import json
import os
import platform
import pwd
import re
import shutil
import subprocess
from typing import Any, Dict, List, Optional

from edgecvar.deploy.device.place import RECORD, Place, document
from edgecvar.deploy.device.service import Service

OLDEST, NEWEST = (3, 8), (3, 14)
"""Of the Pythons that wheels are made for; a device's own may be older."""
INSTALLED = "/opt/edgecvar/bin/python"
"""What jetson/install-*.sh made: on JetPack 4.6 the only Python that has TensorRT's bindings and can be served."""
PROBE = """
import importlib.util, json, platform, sys
found = {"version": sys.version_info[:3], "machine": platform.machine(), "tensorrt": None, "tensorrt_folder": None}
found["venv"] = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
try:
    import tensorrt as trt
    found["tensorrt"], found["tensorrt_folder"] = trt.__version__, trt.__path__[0]
except Exception:
    pass
print(json.dumps(found))
"""


def look(place: Place, service: Service, python: Optional[str]) -> Dict[str, Any]:
    """Facts as plain data; what cannot be told is None."""
    standing = place.judged
    return {
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "root": str(place.root),
        "machine": platform.machine(),
        "model": _text("/proc/device-tree/model").replace("\0", " ").strip(),
        "release": _text("/etc/nv_tegra_release"),
        "power": power_mode(),
        "free": _free(place.root),
        "python": choose_python(python),
        "nvcc": nvcc(),
        "current": document(standing / RECORD),
        "config": _text(str(standing / "config.yaml")),
        "unjudged": place.unjudged,
        "known": sorted(place.known()),
        "environments": place.environments(),
        "held": place.held_by(),
        "service": service.facts(),
    }


def choose_python(wanted: Optional[str]) -> Optional[Dict[str, Any]]:
    """The first Python that has TensorRT, if possible with venv, else the first that will do; None without any."""
    names = [wanted] if wanted else [INSTALLED, "python3", *(f"python3.{minor}" for minor in range(14, 7, -1))]
    found = []  # type: List[Dict[str, Any]]
    for path in filter(None, map(shutil.which, names)):
        told = _probe(path)
        if told is not None and OLDEST <= tuple(told["version"][:2]) <= NEWEST:
            found.append(dict(told, path=path))
            if told["tensorrt"] and told["venv"]:
                return found[-1]
    # One that has TensorRT and lacks venv wants one package; without TensorRT everything would be slow, unsaid.
    able = [each for each in found if each["tensorrt"]] or [each for each in found if each["venv"]] or found
    return able[0] if able else None


def nvcc() -> Optional[str]:
    """CUDA's compiler, which pycuda is built with."""
    places = [os.path.join(os.environ.get("CUDA_ROOT", "/usr/local/cuda"), "bin"), "/usr/local/cuda-10.2/bin"]
    return shutil.which("nvcc", path=os.pathsep.join([*places, os.environ.get("PATH", "")]))


def power_mode() -> Optional[str]:
    program = shutil.which("nvpmodel") or shutil.which("nvpmodel", path="/usr/sbin")
    told = re.search(r"^NV Power Mode:\s*(\S+)", _output([program, "-q"]), re.MULTILINE) if program else None
    return told.group(1) if told else None


def _probe(path: str) -> Optional[Dict[str, Any]]:
    try:
        told = json.loads(_output([path, "-c", PROBE]).strip().split("\n")[-1])  # type: Dict[str, Any]
    except ValueError:
        return None
    return told


def _output(command: List[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def _free(root: Any) -> int:
    while not root.exists():
        root = root.parent
    told = os.statvfs(str(root))
    return told.f_bavail * told.f_frsize
