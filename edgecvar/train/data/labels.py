"""Which clips there are, their labels, and which of them validate."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from edgecvar.clips.labelled import class_folders, videos_in
from edgecvar.errors import DatasetError, unknown_name
from edgecvar.train.data.splits import official_split
from edgecvar.train.parts import Data
from edgecvar.train.settings import SplitSettings

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class LabelledClip:
    """A video file and the index of its label."""

    path: Path
    label: int


@dataclass(frozen=True)
class Split:
    """The labels in order, the clips that train and the clips that validate (perhaps none).

    `missing` counts the clips of official lists that are not there and were left out.
    """

    labels: List[str]
    train: List[LabelledClip]
    validation: List[LabelledClip]
    missing: int = 0


@dataclass(frozen=True)
class _Entry:
    path: Path
    label: str
    split: Optional[str] = None


def load_split(data: Data) -> Split:
    """The clips of `data` and `validation`; labels are those of `data`, sorted; raises DatasetError."""
    source = Path(data.source)
    if data.split is not None:
        return _official(data.split, source)
    entries = _entries(source)
    labels = sorted({entry.label for entry in entries})
    if len(labels) < 2:
        raise DatasetError(f"{source}: found only the class {labels[0]!r}; two or more are needed to tell apart")
    chosen = [entry for entry in entries if _validates(entry, data.validation_pattern)]
    train = [entry for entry in entries if not _validates(entry, data.validation_pattern)]
    if data.validation_pattern is not None and not chosen:
        raise DatasetError(f"{source}: validation_pattern {data.validation_pattern!r} matches no file name there")
    if data.validation is not None:
        chosen = chosen + _entries(Path(data.validation))
    untrained = sorted(set(labels) - {entry.label for entry in train})
    if untrained:
        raise DatasetError(f"{source}: every clip of class {untrained[0]!r} validates, so none is left to train on")
    index = {label: number for number, label in enumerate(labels)}
    return Split(labels, _numbered(train, index, source), _numbered(chosen, index, source))


def _official(settings: SplitSettings, data: Path) -> Split:
    """What the official lists say; labels in their published order."""
    found = official_split(settings, data)
    index = {label: number for number, label in enumerate(found.labels)}
    train, test = (
        _numbered([_Entry(clip.path, clip.label) for clip in clips], index, data) for clips in (found.train, found.test)
    )
    for label, count in count_by_label(train, found.labels):
        if count == 0:
            raise DatasetError(f"{data}: no clip of class {label!r} is there to train on")
    return Split(found.labels, train, test, found.missing)


def _validates(entry: _Entry, pattern: Optional[str]) -> bool:
    if pattern is not None and re.search(pattern, entry.path.name):
        return True
    return entry.split == "validation"


def _numbered(entries: Sequence[_Entry], index: Dict[str, int], data: Path) -> List[LabelledClip]:
    for entry in entries:
        if entry.label not in index:
            raise DatasetError(f"{entry.path}: class {entry.label!r} is not among the {len(index)} classes of {data}")
    return [LabelledClip(entry.path, index[entry.label]) for entry in entries]


def _entries(source: Path) -> List[_Entry]:
    if source.is_dir():
        return _from_folders(source)
    if source.is_file():
        return _from_csv(source)
    raise DatasetError(f"{source}: no such folder or CSV{_remedy(source)}")


def _remedy(source: Path) -> str:
    if "synth" in source.parts:
        return f"; make it with `edgecvar synth {source} --clips 1500 --seed 1` (the recipe's header has the line)"
    return "; give class folders with data=FOLDER, or a CSV with path,label"


def _from_folders(root: Path) -> List[_Entry]:
    """ROOT/<class>/<clip>, sorted by class, then by name; files that are no videos by suffix are left out."""
    folders = class_folders(root)
    if not folders:
        raise DatasetError(f"{root}: no class folders in it; expected {root}/<class>/<clip>.mp4")
    entries = []
    for folder in folders:
        clips = videos_in(folder)
        if not clips:
            held = "no file that is a video by its suffix" if any(folder.iterdir()) else "nothing"
            raise DatasetError(f"{folder}: class folder with {held}; put clips in it or remove it")
        entries += [_Entry(clip, folder.name) for clip in clips]
    return entries


def _from_csv(file: Path) -> List[_Entry]:
    """Rows path,label[,split], paths relative to the CSV's folder, in the CSV's order."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            rows = list(csv.reader(text))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file}: not a CSV ({error}); expected a header path,label[,split]") from error
    header = [name.strip() for name in rows[0]] if rows else []
    if not {"path", "label"} <= set(header):
        raise DatasetError(f"{file}:1: expected a header with path,label[,split], got {','.join(header)[:80]!r}")
    entries = [
        _row(file, number, header, row) for number, row in enumerate(rows[1:], start=2) if any(map(str.strip, row))
    ]
    if not entries:
        raise DatasetError(f"{file}: no rows under its header; expected one a clip: path,label[,split]")
    return entries


def _row(file: Path, number: int, header: Sequence[str], row: Sequence[str]) -> _Entry:
    if len(row) != len(header):
        raise DatasetError(f"{file}:{number}: got {len(row)} values, expected {len(header)} ({','.join(header)})")
    values: Dict[str, str] = dict(zip(header, (value.strip() for value in row)))
    clip, label, split = file.parent / values["path"], values["label"], values.get("split") or None
    if not label:
        raise DatasetError(f"{file}:{number}: the label is empty")
    if split is not None and split not in SPLITS:
        raise DatasetError(f"{file}:{number}: {unknown_name('split', split, SPLITS)}")
    if not clip.is_file():
        raise DatasetError(f"{file}:{number}: no such file: {clip}")
    return _Entry(clip, label, split)


def count_by_label(clips: Sequence[LabelledClip], labels: Sequence[str]) -> List[Tuple[str, int]]:
    """How many clips each label has."""
    counts = [0] * len(labels)
    for clip in clips:
        counts[clip.label] += 1
    return list(zip(labels, counts))
