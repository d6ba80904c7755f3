"""What lies in a data set's folder: the clips that are to be prepared, and what is left out, with the reason.

A link is followed where it stays inside the folder; one that leads outside is left out, as is one in a circle: what
was downloaded decides nothing about files elsewhere.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from edgecvar.clips.labelled import VIDEO_SUFFIXES
from edgecvar.datasets.lists import Stretch, stretch_name
from edgecvar.errors import DatasetError, reason

STILL_SUFFIXES = (".jpg", ".jpeg")
SUFFIX = ".mp4"
_TRIMMED = re.compile(r".+_\d{6}_\d{6}")


@dataclass(frozen=True)
class Source:
    """A clip as it is shipped: `name` in the data set's folder, `output` in the prepared one, with / between.

    `stills`: it is a folder of numbered JPEGs. `stretch`: the seconds that an annotation names of a longer file, its
    `only` one or one of several.
    """

    path: Path
    name: str
    output: str
    stills: bool = False
    stretch: Optional[Stretch] = None
    only: bool = True


@dataclass(frozen=True)
class LeftOut:
    """What gives no clip, and why."""

    name: str
    reason: str


Met = Union[Source, LeftOut]


@dataclass(frozen=True)
class Found:
    """Both in the order of their names."""

    sources: List[Source]
    left_out: List[LeftOut]


def find_sources(root: Path, stretches: Mapping[str, Sequence[Stretch]]) -> Found:
    """The clips below a folder, hidden ones apart; of a video that the annotations name its stretches.

    Raises DatasetError where there is none, or a folder cannot be read.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; give the folder of a data set, as it was unpacked")
    sources: List[Source] = []
    left_out: List[LeftOut] = []
    for each in _Walk(root).found():
        if isinstance(each, LeftOut):
            left_out.append(each)
        else:
            sources += _stretches_of(each, stretches)
    if not sources and not left_out:
        raise DatasetError(
            f"{root}: no video and no folder of numbered JPEGs in it; give a data set as it was unpacked"
        )
    claims = Counter(each.output for each in sources)
    rivals = {each.name: each.output for each in sources if claims[each.output] > 1}
    left_out += [
        LeftOut(name, f"another file would be {output} as well; rename one") for name, output in rivals.items()
    ]
    kept = [each for each in sources if claims[each.output] == 1]
    return Found(sorted(kept, key=lambda each: each.output), sorted(left_out, key=lambda each: each.name))


def numbered_stills(folder: Path) -> List[Path]:
    """The JPEGs of a folder whose names are numbers; raises OSError."""
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if _is_still(entry.name)]


class _Walk:
    """Goes through a folder; what it meets is named in it, with / between."""

    def __init__(self, root: Path) -> None:
        self._root, self._real = root, root.resolve()

    def found(self) -> Iterator[Met]:
        return self._below(self._root, (self._real,))

    def _below(self, folder: Path, real: Tuple[Path, ...]) -> Iterator[Met]:
        """`real`: where the folders that led here lie, this one last."""
        try:
            with os.scandir(folder) as entries:
                visible = sorted((each for each in entries if each.name[0] != "."), key=lambda each: each.name)
        except OSError as error:
            raise DatasetError(f"{folder}: cannot be read ({reason(error)})") from error
        stills = [each for each in visible if _is_still(each.name)]
        if stills:
            yield self._stills(folder, stills)
        for entry in visible:
            if not _is_still(entry.name):
                yield from self._entry(entry, real)

    def _stills(self, folder: Path, stills: Sequence[os.DirEntry[str]]) -> Met:
        whys = (self._why_not(each) for each in stills)
        why = next((f"{each.name} is {why}" for each, why in zip(stills, whys) if why), "")
        return self._clip(folder, why, stills=True)

    def _entry(self, entry: os.DirEntry[str], real: Tuple[Path, ...]) -> Iterator[Met]:
        path, why = Path(entry.path), self._why_not(entry)
        if why:
            if path.suffix.lower() in VIDEO_SUFFIXES or os.path.isdir(path):
                yield self._clip(path, why)
        elif entry.is_dir():
            inside = path.resolve() if entry.is_symlink() else real[-1] / entry.name
            if inside in real:
                yield self._clip(path, "a link in a circle")
            else:
                yield from self._below(path, (*real, inside))
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            yield self._clip(path, "" if entry.is_file() else "not a regular file")

    def _why_not(self, entry: os.DirEntry[str]) -> str:
        """Of a link, why it is not followed; empty where it is, or where it is none."""
        if not entry.is_symlink():
            return ""
        if not os.path.exists(entry.path):
            return "a link that leads nowhere"
        real = Path(os.path.realpath(entry.path))
        if real != self._real and self._real not in real.parents:
            return "a link that leads outside the folder; put what it leads to in its place, or prepare that"
        return ""

    def _clip(self, path: Path, why: str, stills: bool = False) -> Met:
        inside = path.relative_to(self._root)
        name = inside.as_posix() if inside.parts else self._real.name
        try:
            name.encode()
        except UnicodeEncodeError:
            why = why or "its name is no UTF-8 text; rename it"
        if why:
            return LeftOut(name, why)
        return Source(path, name, (name if stills else str(PurePosixPath(name).with_suffix(""))) + SUFFIX, stills)


def _stretches_of(source: Source, stretches: Mapping[str, Sequence[Stretch]]) -> List[Source]:
    """The source itself, or one for each stretch that annotations name of a file called by its id alone."""
    place = PurePosixPath(source.output)
    named = () if source.stills or _TRIMMED.fullmatch(place.stem) else stretches.get(place.stem, ())
    outputs = [str(place.with_name(stretch_name(place.stem, each) + SUFFIX)) for each in named]
    only = len(named) == 1
    return [replace(source, output=name, stretch=each, only=only) for name, each in zip(outputs, named)] or [source]


def _is_still(name: str) -> bool:
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in STILL_SUFFIXES and stem.isascii() and stem.isdigit()
