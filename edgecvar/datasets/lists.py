"""Official split files, read as they are published: UCF-101, HMDB-51, Kinetics, Something-Something V1 and V2."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from edgecvar.clips.labelled import VIDEO_SUFFIXES
from edgecvar.documents import MEBIBYTE, parse_json, read_text
from edgecvar.errors import DatasetError, reason

LIST_BYTES = 256 * MEBIBYTE
"""At most, of one list; those of Something-Something V2 have 25 MiB."""
_KINETICS_PARTS = (("train",), ("val", "validate", "validation"), ("test",))
Stretch = Tuple[int, int]
"""Of a video, in seconds: where an action begins and where it ends."""


@dataclass(frozen=True)
class Listed:
    """A clip as a list names it: the names that its file may have without suffix, the usual one first; its class."""

    stems: Tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Lists:
    """What a data set's files say: the labels in their published order, and which clips train and which test."""

    labels: List[str]
    train: List[Listed]
    test: List[Listed]


def _ucf101(files: Path, number: int) -> Lists:
    """classInd.txt "1 ApplyEyeMakeup"; trainlist01.txt "Class/v_Class_g08_c01.avi 1"; testlist01.txt "Class/clip"."""
    labels: List[str] = []
    for where, words in _lines(files / "classInd.txt"):
        if len(words) != 2 or words[0] != str(len(labels) + 1):
            raise DatasetError(f"{where}: expected '{len(labels) + 1} <class>', got {' '.join(words)!r}")
        labels.append(words[1])
    classes = set(labels)
    parts = []
    for name, length in (("train", 2), ("test", 1)):
        clips = []
        for where, words in _lines(files / f"{name}list{number:02d}.txt"):
            label, slash, clip = words[0].partition("/")
            if len(words) != length or not slash:
                number_too = " <class number>" if length == 2 else ""
                raise DatasetError(f"{where}: expected '<class>/<clip>{number_too}', got {' '.join(words)!r}")
            _check_label(where, label, classes)
            if length == 2 and words[1] != str(labels.index(label) + 1):
                raise DatasetError(f"{where}: class number {words[1]}, but classInd.txt has another for {label!r}")
            clips.append(Listed((_stem(clip),), label))
        parts.append(clips)
    return Lists(labels, parts[0], parts[1])


def _hmdb51(files: Path, number: int) -> Lists:
    """<class>_test_split1.txt: "clip.avi 1"; 1 trains, 2 tests, 0 is in neither."""
    ending = f"_test_split{number}.txt"
    sheets = sorted(files.glob(f"*{ending}"))
    if not sheets:
        raise DatasetError(f"{files}: no <class>{ending} in it; they come from HMDB-51's test_train_splits archive")
    parts: Dict[str, List[Listed]] = {"0": [], "1": [], "2": []}
    labels = [sheet.name[: -len(ending)] for sheet in sheets]
    for sheet, label in zip(sheets, labels):
        for where, words in _lines(sheet):
            if len(words) < 2 or words[-1] not in parts:
                raise DatasetError(f"{where}: expected '<clip> 0', 1 or 2, got {' '.join(words)!r}")
            parts[words[-1]].append(Listed((_stem(" ".join(words[:-1])),), label))
    return Lists(labels, parts["1"], parts["2"])


def _kinetics(files: Path, number: int) -> Lists:
    """train.csv and val.csv or validate.csv: label,youtube_id,time_start,time_end,split.

    A clip is <id>_<start>_<end>, six digits each, as the usual downloads are named, or <id>.
    """
    parts = []
    for names in _KINETICS_PARTS[:2]:
        clips = []
        for where, row in _table(_one_of(files, _kinetics_sheets(names)), ("label", *_KINETICS_COLUMNS), ","):
            name = row["youtube_id"]
            clips.append(Listed((stretch_name(name, _stretch(where, row)), name), row["label"]))
        parts.append(clips)
    return Lists(sorted({clip.label for clip in parts[0]}), parts[0], parts[1])


def kinetics_lists(folder: Path) -> List[Path]:
    """Those of train, val and test that lie in a folder, with the names and the columns that they are published with.

    Raises DatasetError where one cannot be read.
    """
    sheets = [_first(folder, _kinetics_sheets(names)) for names in _KINETICS_PARTS]
    return [sheet for sheet in sheets if sheet is not None and set(_KINETICS_COLUMNS) <= set(_header(sheet))]


def kinetics_stretches(sheets: Sequence[Path]) -> Dict[str, List[Stretch]]:
    """Of each video by its YouTube id, the stretches that the lists name, in order; raises DatasetError."""
    stretches: Dict[str, Set[Stretch]] = {}
    for sheet in sheets:
        for where, row in _table(sheet, _KINETICS_COLUMNS, ","):
            stretches.setdefault(row["youtube_id"], set()).add(_stretch(where, row))
    return {name: sorted(each) for name, each in stretches.items()}


def stretch_name(youtube_id: str, stretch: Stretch) -> str:
    """How the usual downloads call a trimmed clip, without suffix."""
    return f"{youtube_id}_{stretch[0]:06d}_{stretch[1]:06d}"


_KINETICS_COLUMNS = ("youtube_id", "time_start", "time_end")


def _kinetics_sheets(names: Sequence[str]) -> List[str]:
    return [f"{prefix}{name}.csv" for name in names for prefix in ("", "kinetics_400_")]


def _stretch(where: str, row: Dict[str, str]) -> Stretch:
    try:
        return int(float(row["time_start"])), int(float(row["time_end"]))
    except (ValueError, OverflowError) as error:
        raise DatasetError(f"{where}: time_start and time_end are seconds ({error})") from error


def _something(files: Path, number: int) -> Lists:
    """V1: something-something-v1-{labels,train,validation}.csv with ;. V2: the same or shorter names, .json."""
    for ending, version in ((".json", "v2"), (".csv", "v1")):
        names = {part: _first(files, _something_names(part, version, ending)) for part in ("labels", "train")}
        if names["labels"] is not None and names["train"] is not None:
            test = _one_of(files, _something_names("validation", version, ending))
            read = _something_v2 if ending == ".json" else _something_v1
            return read(names["labels"], names["train"], test)
    raise DatasetError(
        f"{files}: no lists of Something-Something in it; expected something-something-v2-labels.json, -train.json and "
        "-validation.json, or something-something-v1-labels.csv, -train.csv and -validation.csv"
    )


def _something_names(part: str, version: str, ending: str) -> List[str]:
    return [f"something-something-{version}-{part}{ending}", f"{part}{ending}"]


def _something_v1(labels: Path, train: Path, test: Path) -> Lists:
    order = [";".join(words) for _, words in _rows(labels, ";")]
    classes, parts = set(order), []
    for sheet in (train, test):
        clips = []
        for where, words in _rows(sheet, ";"):
            label = ";".join(words[1:])
            _check_label(where, label, classes)
            clips.append(Listed((words[0],), label))
        parts.append(clips)
    return Lists(order, parts[0], parts[1])


def _something_v2(labels: Path, train: Path, test: Path) -> Lists:
    numbers = _json(labels)
    if not isinstance(numbers, dict) or not all(str(number).isdigit() for number in numbers.values()):
        raise DatasetError(f'{labels}: expected {{"<template>": "<number>", ...}}')
    order = sorted(numbers, key=lambda label: int(numbers[label]))
    classes, parts = set(order), []
    for sheet in (train, test):
        clips = []
        for place, entry in enumerate(_json(sheet)):
            where = f"{sheet}: entry {place}"
            if not isinstance(entry, dict) or not {"id", "template"} <= entry.keys():
                raise DatasetError(f"{where}: expected an object with id and template")
            label = str(entry["template"]).replace("[", "").replace("]", "")
            _check_label(where, label, classes)
            clips.append(Listed((str(entry["id"]),), label))
        parts.append(clips)
    return Lists(order, parts[0], parts[1])


READERS = {"ucf101": _ucf101, "hmdb51": _hmdb51, "kinetics": _kinetics, "something": _something}


def _stem(name: str) -> str:
    """A clip's name without its video suffix; some names hold other points."""
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in VIDEO_SUFFIXES else name


def _check_label(where: str, label: str, labels: Set[str]) -> None:
    if label not in labels:
        raise DatasetError(f"{where}: class {label!r} is not among the {len(labels)} classes of the labels' file")


def _text(file: Path) -> str:
    try:
        return read_text(file, LIST_BYTES).lstrip("\ufeff")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file}: cannot read this list of the official split ({reason(error)})") from error


def _lines(file: Path) -> List[Tuple[str, List[str]]]:
    """(place, words) of every line that holds some."""
    lines = enumerate(_text(file).splitlines(), start=1)
    return [(f"{file}:{number}", line.split()) for number, line in lines if line.strip()]


def _rows(file: Path, separator: str) -> List[Tuple[str, List[str]]]:
    rows = enumerate(csv.reader(_text(file).splitlines(), delimiter=separator), start=1)
    return [(f"{file}:{number}", row) for number, row in rows if row]


def _table(file: Path, columns: Sequence[str], separator: str) -> List[Tuple[str, Dict[str, str]]]:
    rows = _rows(file, separator)
    header = rows[0][1] if rows else []
    if not set(columns) <= set(header):
        raise DatasetError(f"{file}:1: expected the columns {','.join(columns)}, got {','.join(header)[:80]!r}")
    for where, row in rows[1:]:
        if len(row) != len(header):
            raise DatasetError(f"{where}: got {len(row)} values, expected {len(header)} ({','.join(header)})")
    return [(where, dict(zip(header, row))) for where, row in rows[1:]]


def _header(file: Path) -> List[str]:
    return next((row for _, row in _rows(file, ",")), [])


def _json(file: Path) -> Any:
    try:
        return parse_json(_text(file))
    except ValueError as error:
        raise DatasetError(f"{file}: not JSON ({reason(error)})") from error


def _first(files: Path, names: Sequence[str]) -> Optional[Path]:
    return next((files / name for name in names if (files / name).is_file()), None)


def _one_of(files: Path, names: Sequence[str]) -> Path:
    file = _first(files, names)
    if file is None:
        raise DatasetError(f"{files}: no {' or '.join(names)} in it")
    return file
