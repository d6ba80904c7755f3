"""How a user's clips lie: in class folders, in train/ and val/ with class folders each, or as a CSV says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

from edgecvar.clips.labelled import VIDEO_SUFFIXES, videos_below, videos_in
from edgecvar.errors import DatasetError

TRAINING = ("train", "training")
VALIDATION = ("val", "valid", "validation", "dev", "eval", "test", "testing")
"""Names of the folder whose clips validate; where there are several the first of them does."""


@dataclass(frozen=True)
class Places:
    """What trains (class folders or a CSV), class folders that validate if there are some, and what is in neither."""

    source: Path
    validation: Optional[Path] = None
    left_out: Tuple[Path, ...] = ()


def is_data(given: str) -> bool:
    """Whether it is a folder or a CSV, and no recipe."""
    return Path(given).suffix.lower() == ".csv" or Path(given).is_dir()


def find_places(given: Path) -> Places:
    """Where the clips lie that a user gave; raises DatasetError that says what was expected."""
    if not given.is_dir():
        return Places(given)
    folders = _folders(given)
    training = next((folder for folder in folders if folder.name.lower() in TRAINING and _has_classes(folder)), None)
    if training is not None:
        judges = [folder for name in VALIDATION for folder in folders if folder.name.lower() == name]
        validation = next((folder for folder in judges if _has_classes(folder)), None)
        rest = (folder for folder in folders if folder not in (training, validation) and videos_below(folder))
        return Places(training, validation, tuple(rest))
    if _has_classes(given):
        return Places(given, None, tuple(videos_in(given)))
    raise DatasetError(_what_it_is(given, folders))


def _has_classes(folder: Path) -> bool:
    """Whether some of its folders hold videos themselves."""
    return any(videos_in(inner) for inner in _folders(folder))


def _folders(folder: Path) -> List[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _what_it_is(given: Path, folders: List[Path]) -> str:
    """In a line, why this folder has no classes, and what to do."""
    expected = f"expected a folder a class, {given}/<class>/<clip>.mp4, or a CSV with path,label"
    if (given / "last.pt").is_file():
        return f"{given}: the folder of a run, not of clips; go on with it: edgecvar train --resume {given}"
    if (given / "manifest.json").is_file():
        return f"{given}: a bundle, not a folder of clips; {expected}"
    inside = videos_in(given)
    if inside:
        return f"{given}: {len(inside)} videos lie in it itself, and no class folder holds one; {expected}"
    whole = next((folder for folder in folders if _has_classes(folder)), None)
    if whole is not None:
        return f"{given}: the class folders lie deeper, in {whole}: name that folder"
    deeper = videos_below(given)
    if deeper:
        return f"{given}: its videos lie too deep, as {deeper[0]}; {expected}"
    recipes = sorted(entry for pattern in ("*.yaml", "*/*.yaml") for entry in given.glob(pattern))
    if recipes:
        return f"{given}: a folder of recipes, not of clips; name one of them, as {recipes[0]}"
    if not any(given.iterdir()):
        return f"{given}: empty; {expected}"
    return f"{given}: no video in it by suffix ({', '.join(VIDEO_SUFFIXES[:5])} and the like); {expected}"
