"""What this user may open and write."""

from __future__ import annotations

import getpass
import glob
import grp
import os
from pathlib import Path
from typing import List

from edgecvar.errors import ConfigError
from edgecvar.files import check_writable, state_folder
from edgecvar.judge.doctor.finding import Finding

NODES = ("/dev/video*", "/dev/nvmap", "/dev/nvhost-*", "/dev/nvidia[0-9]*", "/dev/dri/renderD*")
"""Of cameras and GPUs."""
ROOT = "root"


def device_nodes() -> List[Finding]:
    """The device files that are here and this user may not open, by the group that may."""
    here = sorted(path for pattern in NODES for path in glob.glob(pattern))
    shut = [path for path in here if not os.access(path, os.R_OK | os.W_OK)]
    found = []
    by_group = {path: _group(path) for path in shut}
    for group in sorted(set(by_group.values())):
        paths = [path for path in shut if by_group[path] == group]
        shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        remedy = f"sudo usermod -aG {group} {_user()}, then log in again"
        if group == ROOT:
            remedy = (
                "where one of them is wanted, a rule in /etc/udev/rules.d gives it to a group: "
                f'KERNEL=="{os.path.basename(paths[0])}", GROUP="video", MODE="0660"'
            )
        found.append(Finding("permissions", f"group {group}", "missing", f"may not open {shown}", remedy))
    if not found:
        detail = f"{len(here)} device files, all open to this user" if here else "no cameras or GPUs here"
        found.append(Finding("permissions", "devices", "ok", detail))
    return found


def folders() -> List[Finding]:
    """Where things are kept from run to run."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    named = (("state", state_folder(), "XDG_STATE_HOME"), ("cache", Path(cache) / "edgecvar", "XDG_CACHE_HOME"))
    found = []
    for name, folder, variable in named:
        try:
            check_writable(folder, f"set {variable}")
        except ConfigError as error:
            remedy = f"set {variable} to a folder of yours"
            found.append(Finding("permissions", f"{name} folder", "missing", str(error), remedy))
        else:
            found.append(Finding("permissions", f"{name} folder", "ok", str(folder)))
    return found


def _group(path: str) -> str:
    """The group whose members may open it; ROOT's where no group of a user's would help."""
    try:
        told = os.stat(path)
        # Root's own group is nobody else's, and one that may not read and write is of no help.
        return grp.getgrgid(told.st_gid).gr_name if told.st_gid and told.st_mode & 0o060 == 0o060 else ROOT
    except (OSError, KeyError):
        return "video"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "$USER"
