"""The Python environment of one version on a device, made whole or not at all."""

import os
import shutil
from pathlib import Path
from typing import Any, Dict

from edgecvar.deploy.device.look import nvcc
from edgecvar.deploy.device.peer import Failure, Peer, python_version
from edgecvar.deploy.device.place import INSTALLED, Place, put, write_record


def install(place: Place, plan: Dict[str, Any], peer: Peer) -> Path:
    """The environment that the plan names, made where it is not there yet; raises Failure.

    It is made where it stays, because its programs name their Python by its whole path.
    """
    folder = place.environment(plan["environment"])
    if (folder / INSTALLED).exists():
        return folder
    shutil.rmtree(str(folder), ignore_errors=True)
    try:
        peer.say(step="installing {}".format(plan["requirement"]))
        _must(peer, "a Python environment", [plan["python"], "-m", "venv", str(folder)])
        _pip(folder, place, plan, peer)
        if plan["tensorrt_folder"]:
            _link_tensorrt(folder, plan["tensorrt_folder"])
        os.sync()  # that record says that all else is on the disk
        write_record(folder / INSTALLED, {"requirement": plan["requirement"], "by": python_version()})
    except BaseException:
        shutil.rmtree(str(folder), ignore_errors=True)
        raise
    return folder


def _pip(folder: Path, place: Place, plan: Dict[str, Any], peer: Peer) -> None:
    wheels = place.incoming / "wheels"
    shutil.rmtree(str(wheels), ignore_errors=True)
    known = place.known()
    for name, sha in plan["wheels"].items():
        put(known[sha], wheels / name)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    pip += ["--progress-bar", "off"]
    if plan["wheels"]:
        pip += ["--find-links", str(wheels)]
    if plan["offline"]:
        pip += ["--no-index"]
    else:  # that of an old Python knows no newer wheels
        _must(peer, "pip's update", [*pip, "--upgrade", "pip"])
    wanted = plan["requirement"]
    if plan["own_wheel"]:  # the very file, also where an index has another of this version
        extras = wanted[wanted.index("[") : wanted.index("]") + 1]
        wanted = str(wheels / plan["own_wheel"]) + extras
    compiler = nvcc()
    environment = dict(os.environ)
    if compiler is not None:
        binaries = os.path.dirname(compiler)
        environment["CUDA_ROOT"] = os.path.dirname(binaries)
        environment["PATH"] = binaries + os.pathsep + environment.get("PATH", "")
    _must(peer, "pip", [*pip, wanted], environment)


def _link_tensorrt(folder: Path, found: str) -> None:
    """JetPack's own bindings, and nothing else of the Python that has them."""
    for packages in folder.glob("lib/python3.*/site-packages"):
        link = packages / "tensorrt"
        if not link.exists():
            link.symlink_to(found)


def _must(peer: Peer, what: str, command: Any, environment: Any = None) -> None:
    code, out, said = peer.run(command, environment)
    if code:
        last = said or out.strip().splitlines()[-3:] or [f"exit code {code}"]
        errors = [line for line in last if line.startswith("ERROR")] or last[-2:]
        raise Failure("{} failed: {}".format(what, " ".join(errors)))
