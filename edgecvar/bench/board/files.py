"""The small files in which the kernel tells what a board does."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import List, Optional

SHORT = 256
"""Bytes that are read of a file; a number or a name fits."""
MOST = 64
"""Entries of a folder that are looked at."""


def text_of(file: Path) -> Optional[str]:
    """The first words of a regular file; None where it is missing, refuses, or is empty.

    Some sensors refuse while what they measure is off.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        try:
            content = os.read(descriptor, SHORT) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None
    return content.decode("utf-8", "replace").strip("\0 \t\r\n") or None


def number_of(file: Path) -> Optional[float]:
    """The number that a file holds; None where it holds none."""
    text = text_of(file)
    return float(text) if text is not None and re.fullmatch(r"-?[0-9]{1,19}", text) else None


def entries(folder: Path, pattern: str) -> List[Path]:
    """What is in a folder by that pattern, in the order of numbers in the names; nothing where it cannot be read."""
    try:
        found = sorted(folder.glob(pattern), key=lambda path: (len(path.name), path.name))
    except OSError:
        return []
    return found[:MOST]
