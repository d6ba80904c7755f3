"""Which clips there are, their labels, and which of them validate."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from edgecvar.clips.labelled import Clip, class_clips, videos_below
from edgecvar.datasets.lists import LIST_BYTES
from edgecvar.documents import read_text
from edgecvar.errors import DatasetError, reason, unknown_name
from edgecvar.train.data.drawing import draw_validation
from edgecvar.train.data.splits import Split, official_split
from edgecvar.train.parts import Data

SYNTHETIC = {"train": "--clips 1500 --seed 1", "val": "--clips 240 --seed 2", "test": "--clips 240 --seed 101"}
"""How the recipes' synthetic clips are made: the seeds differ, for one seed gives the same clips in every folder."""

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class _Row:
    """A clip, and whether its source says that it validates."""

    clip: Clip
    validates: bool = False


def load_split(data: Data) -> Split:
    """The clips of a recipe; labels are sorted, or as official lists have them. Raises DatasetError."""
    source = Path(data.source)
    if data.split is None:
        split, lost = _read_split(data, source), "every clip of class {!r} validates, so none is left to train on"
    else:
        split, lost = official_split(data.split, source), "no clip of class {!r} is there to train on"
    if split.untrained is not None:
        raise DatasetError(f"{source}: {lost.format(split.untrained)}")
    labels = set(split.labels)
    for clip in split.validation:
        if clip.label not in labels:
            raise DatasetError(f"{clip.path}: class {clip.label!r} is not among the {len(labels)} classes of {source}")
    return split


def _read_split(data: Data, source: Path) -> Split:
    """What class folders or a CSV, `validation` and `validation_pattern` say."""
    rows = _rows(source)
    labels = sorted({row.clip.label for row in rows})
    if len(labels) < 2:
        raise DatasetError(f"{source}: found only the class {labels[0]!r}; two or more are needed to tell apart")
    if data.is_drawn:
        return _drawn(data, labels, rows)
    validation = [row.clip for row in rows if _validates(row, data.validation_pattern)]
    train = [row.clip for row in rows if not _validates(row, data.validation_pattern)]
    if data.validation_pattern is not None and not validation:
        raise DatasetError(
            f"{source}: validation_pattern {data.validation_pattern!r} matches no file name there; give one that does, "
            "or --validation-fraction 0.25 to split by what the names show"
        )
    if data.validation is not None:
        validation += [row.clip for row in _rows(Path(data.validation))]
    return Split(labels, train, validation)


def _drawn(data: Data, labels: List[str], rows: Sequence[_Row]) -> Split:
    """Some of the clips, drawn as the recipe says; raises DatasetError where a CSV says itself what validates."""
    if any(row.validates for row in rows):
        raise DatasetError(
            f"{data.source}: its column split says what validates: leave split_by and validation_fraction out"
        )
    clips = [row.clip for row in rows]
    draw = draw_validation(clips, data.split_by, data.fraction, data.split_seed)
    train = [clip for clip, chosen in zip(clips, draw.validates) if not chosen]
    validation = [clip for clip, chosen in zip(clips, draw.validates) if chosen]
    return Split(labels, train, validation, draw=draw)


def _validates(row: _Row, pattern: Optional[str]) -> bool:
    return row.validates or (pattern is not None and re.search(pattern, row.clip.path.name) is not None)


def _rows(source: Path) -> List[_Row]:
    if source.is_dir():
        return _from_folders(source)
    if source.is_file():
        return _from_csv(source)
    raise DatasetError(f"{source}: no such folder or CSV{_remedy(source)}")


def _remedy(source: Path) -> str:
    if "synth" in source.parts:
        how = SYNTHETIC.get(source.name, SYNTHETIC["train"])
        return f"; make it with `edgecvar synth {source} {how}` (the recipe's header has the line)"
    return "; give class folders with data=FOLDER, or a CSV with path,label"


def _from_folders(root: Path) -> List[_Row]:
    """ROOT/<class>/<clip>, sorted by class, then by name; files that are no videos by suffix are left out."""
    classes = class_clips(root)
    if not classes:
        raise DatasetError(f"{root}: no class folders in it; expected {root}/<class>/<clip>.mp4")
    for label, clips in classes.items():
        if not clips:
            content = _content(root / label)
            raise DatasetError(f"{root / label}: class folder with {content}; put clips in it or remove it")
    return [_Row(clip) for clips in classes.values() for clip in clips]


def _content(folder: Path) -> str:
    """What a folder without videos has in their place."""
    deeper = videos_below(folder)
    if deeper:
        return f"no video itself, but deeper, where none is looked for ({deeper[0]})"
    return "no file that is a video by its suffix" if any(folder.iterdir()) else "nothing"


def _from_csv(file: Path) -> List[_Row]:
    """Rows path,label[,split], paths relative to the CSV's folder, in the CSV's order."""
    try:
        text = read_text(file, LIST_BYTES).lstrip("\ufeff")
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except (ValueError, csv.Error) as error:
        raise DatasetError(f"{file}: not a CSV ({reason(error)}); expected a header path,label[,split]") from error
    header = [name.strip() for name in lines[0]] if lines else []
    if not {"path", "label"} <= set(header):
        raise DatasetError(f"{file}:1: expected a header with path,label[,split], got {','.join(header)[:80]!r}")
    rows = [
        _row(file, number, header, line) for number, line in enumerate(lines[1:], start=2) if any(map(str.strip, line))
    ]
    if not rows:
        raise DatasetError(f"{file}: no rows under its header; expected one a clip: path,label[,split]")
    return rows


def _row(file: Path, number: int, header: Sequence[str], line: Sequence[str]) -> _Row:
    if len(line) != len(header):
        raise DatasetError(f"{file}:{number}: got {len(line)} values, expected {len(header)} ({','.join(header)})")
    values: Dict[str, str] = dict(zip(header, (value.strip() for value in line)))
    clip, label, split = file.parent / values["path"], values["label"], values.get("split") or None
    if not label:
        raise DatasetError(f"{file}:{number}: the label is empty")
    if split is not None and split not in SPLITS:
        raise DatasetError(f"{file}:{number}: {unknown_name('split', split, SPLITS)}")
    if not clip.is_file():
        raise DatasetError(f"{file}:{number}: no such file: {clip}")
    return _Row(Clip(clip, label), split == "validation")
