"""Clips with their labels: the one lister of videos, and class folders ROOT/<class>/<clip>."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List

from edgecvar.errors import DatasetError

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".m2v", ".m4e"),
    *(".264", ".h264", ".avc", ".jsv", ".3gp", ".3g2", ".flv", ".wmv"),
)


@dataclass(frozen=True)
class Clip:
    """A video file and the name of its class."""

    path: Path
    label: str


def videos_below(folder: Path) -> List[Path]:
    """The files in `folder`, however deep, that are videos by their suffix and not hidden in it; sorted."""
    return _videos(folder, "**/*")


def videos_in(folder: Path) -> List[Path]:
    """As `videos_below`, of the folder itself alone."""
    return _videos(folder, "*")


def find_videos(places: Iterable[Path]) -> List[Path]:
    """The files named, and the videos below the folders named; each once. Raises DatasetError where there are none."""
    found: Dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise DatasetError(f"{place}: no such file or folder")
        videos = videos_below(place) if place.is_dir() else [place]
        if not videos:
            raise DatasetError(f"{place}: no video in this folder")
        found.update(dict.fromkeys(videos))
    return list(found)


def class_folders(root: Path) -> List[Path]:
    """The folders in `root` that are not hidden, sorted by name."""
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _videos(folder: Path, pattern: str) -> List[Path]:
    files = (file for file in folder.glob(pattern) if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file())
    return sorted(file for file in files if not _is_hidden(file.relative_to(folder)))


def _is_hidden(inside: Path) -> bool:
    return any(part.startswith(".") for part in inside.parts)
