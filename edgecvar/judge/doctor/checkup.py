"""The whole check-up, in the order in which it is told."""

from __future__ import annotations

import platform
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Callable, Iterator, List, Tuple

from edgecvar import __version__
from edgecvar.judge.doctor.child import looked
from edgecvar.judge.doctor.finding import Finding
from edgecvar.judge.doctor.libraries import EXTRAS, look_at, look_at_extra, look_at_tensorrt, needed_libraries
from edgecvar.judge.doctor.places import device_nodes, folders

SIDE_BY_SIDE = 4
"""Processes that look at a time."""
FLOOR = (3, 8)


def check_up() -> Iterator[Finding]:
    """Every finding, as soon as those before it are known; the demo runs last, and alone."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for group in [pool.submit(look) for look in _looks()]:
            yield from group.result()
    remedy = "pip install --force-reinstall edgecvar; if that does not help, report it with these lines"
    yield from looked(["demo"], Finding("demo", "run", "broken", "", remedy, needed=True))


def _looks() -> List[Callable[[], List[Finding]]]:
    looks: List[Callable[[], List[Finding]]] = [_python]
    looks += [partial(look_at, module, otherwise) for module, otherwise in needed_libraries()]
    for name, group in (("decoders", "decoders"), ("hardware", "decoders"), ("encoders", "encoders")):
        looks.append(partial(looked, [name], Finding(group, name, "broken", "", needed=name == "decoders")))
    looks.append(look_at_tensorrt)
    looks += [partial(look_at_extra, extra) for extra in EXTRAS]
    looks += [partial(looked, ["device"], Finding("device", "device", "broken", ""))]
    looks += [partial(looked, ["cameras"], Finding("cameras", "cameras", "broken", ""))]
    return [*looks, device_nodes, folders, _programs]


def _python() -> List[Finding]:
    old = sys.version_info[:2] < FLOOR
    version = f"{platform.python_version()}, {sys.executable}"
    return [
        Finding("edgecvar", "Python", "broken" if old else "ok", version, "install Python 3.8 or newer" * old, True),
        Finding("edgecvar", "edgecvar", "ok", __version__, needed=True),
    ]


_PROGRAMS: Tuple[Tuple[str, str, str], ...] = (
    ("mosquitto", "an MQTT broker on this machine", "sudo apt-get install mosquitto"),
    ("minisign", "checks bundles without edgecvar", "sudo apt-get install minisign"),
)


def _programs() -> List[Finding]:
    found = []
    for name, purpose, remedy in _PROGRAMS:
        path = shutil.which(name)
        if path is None:
            found.append(Finding("programs", name, "optional", f"not installed: {purpose}", remedy))
        else:
            found.append(Finding("programs", name, "ok", path))
    return found
