"""Labelled clips with what a network made of them: the one lister of videos, of class folders too."""

from __future__ import annotations

import errno
import fnmatch
import glob
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import DatasetError, reason

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".m2v", ".m4e"),
    *(".264", ".h264", ".avc", ".jsv", ".265", ".h265", ".hevc", ".3gp", ".3g2", ".flv", ".wmv"),
)

_ROOTS = "lost+found"
"""A folder of file systems' repairs, which root alone may list, and whose files have no suffixes."""


@dataclass(frozen=True)
class Clip:
    """A video file and the name of its class."""

    path: Path
    label: str


@dataclass(frozen=True)
class RunningAnswers:
    """What a clip was taken for while it ran: class numbers (n,), each the best of the mean of all scores up to there.

    `seconds` (n,) rise, and are those of the video since its first picture.
    """

    seconds: NDArray[np.float64]
    classes: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.seconds.ndim != 1 or self.seconds.shape != self.classes.shape:
            raise ValueError(f"RunningAnswers: got {self.seconds.shape} seconds for {self.classes.shape} answers")

    def after(self, seconds: float) -> Optional[int]:
        """The newest answer at that time, the last one when the clip is over; None before the first."""
        count = int(np.searchsorted(self.seconds, seconds, side="right"))
        return int(self.classes[count - 1]) if count else None


@dataclass(frozen=True)
class Trace:
    """What each sampled picture of a clip said: probabilities float32 (n, classes) at rising `seconds` (n,).

    `duration`: seconds that the clip lasts.
    """

    seconds: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    duration: float


@dataclass(frozen=True)
class ClipScore:
    """A clip's scores (classes,), the mean over all that was looked at, or None where there was nothing.

    `error` says why a clip could not be read; it then has no scores. `answers`: of a clip that was run as a stream,
    and its `trace` where that was asked for.
    """

    clip: Clip
    scores: Optional[NDArray[np.float64]]
    error: Optional[str] = None
    answers: Optional[RunningAnswers] = None
    trace: Optional[Trace] = None


def chance_level(counts: Iterable[int]) -> Optional[float]:
    """Top-1 of always saying the commonest class, from the judged clips of each; None without any clip."""
    clips = list(counts)
    return max(clips) / sum(clips) if any(clips) else None


def videos_below(folder: Path) -> List[Path]:
    """The files in `folder`, however deep, that are videos by their suffix and not hidden in it; sorted.

    Links to files count, and those to folders are not followed. Raises DatasetError for a folder that cannot be listed.
    """
    return sorted(_videos(folder, deep=True))


def videos_in(folder: Path) -> List[Path]:
    """As `videos_below`, of the folder itself alone."""
    return sorted(_videos(folder, deep=False))


def files_matching(pattern: str) -> List[Path]:
    """The files that a pattern names, sorted; `**` is any number of folders, and follows no links to others.

    What is hidden must be named. Raises DatasetError for a folder that cannot be listed.
    """
    path = Path(pattern)
    parts = path.parts[1:] if path.anchor else path.parts
    return sorted(set(_matching(Path(path.anchor), parts)))


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


def class_clips(root: Path) -> Dict[str, List[Clip]]:
    """The clips ROOT/<class>/<clip> of each class, perhaps none, sorted by class and name; hidden folders are none.

    Raises DatasetError for a class that no document can name.
    """
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for folder in folders:
        if any("\ud800" <= sign <= "\udfff" for sign in folder.name):
            raise DatasetError(f"{folder}: its name is no UTF-8 text, and a class is called as its folder; rename it")
    return {folder.name: [Clip(file, folder.name) for file in videos_in(folder)] for folder in folders}


def _videos(folder: Path, deep: bool) -> Iterator[Path]:
    for entry in _entries(folder):
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if deep:
                yield from _videos(path, deep)
        elif path.suffix.lower() in VIDEO_SUFFIXES and stat.S_ISREG(_mode(path)):
            yield path


def _matching(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _matching(folder, rest or ["*"])
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _matching(folder / entry.name, parts)
        return
    names = [part]
    if glob.has_magic(part):
        hidden = part.startswith(".")
        names = fnmatch.filter((each.name for each in _entries(folder) if hidden or each.name[0] != "."), part)
    for path in (folder / name for name in names):
        mode = _mode(path)
        if rest and stat.S_ISDIR(mode):
            yield from _matching(path, rest)
        elif not rest and stat.S_ISREG(mode):
            yield path


def _entries(folder: Path) -> List[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return [entry for entry in found if entry.name != _ROOTS]
    except OSError as error:
        raise _unlisted(folder, error) from error


def _mode(path: Path) -> int:
    """Of what is there, 0 for nothing."""
    try:
        return os.stat(path).st_mode
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return 0
        raise _unlisted(path, error) from error


def _unlisted(path: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"{path}: cannot be looked into ({reason(error)}), and is not left out unasked; permit it, or name what is "
        "beside it"
    )
