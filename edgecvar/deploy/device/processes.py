"""What runs on a device just now, as /proc tells it."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Optional

BOOTTIME = 7
"""The clock that /proc counts in; Python 3.6 has no name for it."""


def started(process: int) -> Optional[float]:
    """When a process began, as the clock counts now; None where there is none."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            ticks = float(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
    return time.time() - time.clock_gettime(BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def oldest_in(root: Path) -> Optional[float]:
    """When the oldest process began that has to do with anything in a folder; None where none has."""
    names = {os.fsencode(str(path)) + b"/" for path in (root, root.resolve())}
    others = [folder for folder in Path("/proc").glob("[0-9]*") if folder.name != str(os.getpid())]
    found = [started(int(folder.name)) for folder in others if any(name in _told(folder) for name in names)]
    return min((each for each in found if each is not None), default=None)


def _told(folder: Path) -> bytes:
    """The paths of its program, folder, command and libraries, as far as they may be read."""
    told = []
    for name in ("exe", "cwd"):
        with suppress(OSError):
            told.append(os.fsencode(os.readlink(str(folder / name))) + b"/")
    for name in ("cmdline", "maps"):
        with suppress(OSError):
            told.append((folder / name).read_bytes())
    return b"\n".join(told)
