"""The same clip twice by content, of two classes or in training and validation: figures that would mean nothing."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Tuple

from edgecvar.errors import DatasetError
from edgecvar.files import sha256_of
from edgecvar.train.data.splits import Split

SHOWN = 3
"""Repeats that an error names; the others are counted."""
ENDS = 1 << 16
"""Bytes of a file's beginning, and of its end, that are looked at before the whole is."""

Use = Tuple[str, str]
"""What a clip is for, training or validation, and its class."""


def check_repeats(split: Split, source: str) -> None:
    """Raises DatasetError where files of the same bytes are of two classes, or of training and validation.

    A clip that was encoded anew is another one. Files are read only where others have their size.
    """
    uses: Dict[Path, List[Use]] = defaultdict(list)
    for part, clips in (("training", split.train), ("validation", split.validation)):
        for clip in clips:
            uses[clip.path].append((part, clip.label))
    alone = [[path] for path, several in uses.items() if len(several) > 1]
    found = [line for paths in (*alone, *same_content(uses)) for line in _clash(paths, uses)]
    if found:
        more = f" (and {len(found) - SHOWN} more)" if len(found) > SHOWN else ""
        raise DatasetError(
            f"{source}: the same clip for two things: {'; '.join(found[:SHOWN])}{more}; leave one of each out, or set "
            "allow_repeats=true to train all the same"
        )


def same_content(paths: Iterable[Path]) -> List[List[Path]]:
    """Groups of two or more files of the same bytes; a file that is empty or cannot be read is in none."""
    groups = [list(paths)]
    for key in (_size, _ends, sha256_of):
        groups = [group for each in groups for group in _alike(each, key)]
    return groups


def _alike(paths: Iterable[Path], key: Callable[[Path], object]) -> List[List[Path]]:
    groups: Dict[object, List[Path]] = defaultdict(list)
    for path in paths:
        try:
            groups[key(path)].append(path)
        except OSError:  # whoever reads the clip says so
            continue
    groups.pop(0, None)  # the empty ones, of which the same is said
    return [group for group in groups.values() if len(group) > 1]


def _size(path: Path) -> int:
    return path.stat().st_size


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(ENDS))
        file.seek(max(0, os.fstat(file.fileno()).st_size - ENDS))
        digest.update(file.read(ENDS))
    return digest.digest()


def _clash(paths: List[Path], uses: Dict[Path, List[Use]]) -> List[str]:
    """The first two uses of one content that differ, in words; nothing where all are the same."""
    listed = [(path, use) for path in paths for use in uses[path]]
    for (one, use), (other, another) in combinations(listed, 2):
        if use != another:
            return [f"{one} ({' of '.join(use)}) and {other} ({' of '.join(another)})"]
    return []
