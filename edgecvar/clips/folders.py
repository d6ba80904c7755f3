"""Class folders: ROOT/<class>/<clip>, the same files for training and for evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import List

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".m2v", ".m4e"),
    *(".264", ".h264", ".avc", ".jsv", ".3gp", ".3g2", ".flv", ".wmv"),
)


def class_folders(root: Path) -> List[Path]:
    """The folders in `root` that are not hidden, sorted by name."""
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def clips_in(folder: Path) -> List[Path]:
    """The files in `folder` that are videos by their suffix and not hidden, sorted by name."""
    files = (entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    return sorted(file for file in files if file.suffix.lower() in VIDEO_SUFFIXES)
