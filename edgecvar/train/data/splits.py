"""Official split files, read as they are published: UCF-101, HMDB-51, Kinetics, Something-Something V1 and V2.

A list names clips, not where they lie or how they were encoded since: a clip is found in the recipe's `data` by its
name without suffix, in a folder of its class or anywhere where the name is the only one of its kind.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from edgecvar.clips.labelled import VIDEO_SUFFIXES, Clip, videos_below
from edgecvar.documents import MEBIBYTE, parse_json, read_text
from edgecvar.errors import DatasetError, reason
from edgecvar.train.data.drawing import Draw
from edgecvar.train.settings import SplitSettings

SHOWN = 5
"""Missing clips that an error names; the others are counted."""
LIST_BYTES = 256 * MEBIBYTE
"""At most, of one list; those of Something-Something V2 have 25 MiB."""


@dataclass(frozen=True)
class Split:
    """The labels in order, the clips that train and the clips that validate (perhaps none).

    `missing` counts the clips of official lists that are not there and were left out. `draw`: how the clips that
    validate were found, where they were drawn.
    """

    labels: List[str]
    train: List[Clip]
    validation: List[Clip]
    missing: int = 0
    draw: Optional[Draw] = None

    @property
    def untrained(self) -> Optional[str]:
        """The first label of which no clip trains."""
        trained = {clip.label for clip in self.train}
        return next((label for label in self.labels if label not in trained), None)


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


def official_split(settings: SplitSettings, videos: Path) -> Split:
    """The clips that the lists name, found in the folder `videos`; raises DatasetError."""
    files = Path(settings.files)
    if not files.is_dir():
        raise DatasetError(f"{files}: no such folder; split.files is the folder of the lists of {settings.format}")
    if not videos.is_dir():
        raise DatasetError(f"{videos}: no such folder; with split, data is the folder of the videos")
    lists = READERS[settings.format](files, settings.number)
    shelf = _Shelf(videos)
    train, test = shelf.clips(lists.train), shelf.clips(lists.test)
    missing = shelf.missing
    if missing and settings.missing == "error":
        named = ", ".join(missing[:SHOWN]) + (f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else "")
        total = len(lists.train) + len(lists.test)
        raise DatasetError(
            f"{videos}: {len(missing)} of the {total} clips that {files} lists are not there: {named}; "
            "put them there, or leave them out with split.missing=skip"
        )
    return Split(lists.labels, train, test, len(missing))


class _Shelf:
    """The videos below a folder, by name; `missing` names the clips that it was asked for in vain."""

    def __init__(self, videos: Path) -> None:
        self.missing: List[str] = []
        self._in_class: Dict[Tuple[str, str], Path] = {}
        self._anywhere: Dict[str, List[Path]] = {}
        for path in videos_below(videos):
            self._in_class.setdefault((_plain(path.parent.name), path.stem), path)
            self._anywhere.setdefault(path.stem, []).append(path)

    def clips(self, listed: Sequence[Listed]) -> List[Clip]:
        clips = []
        for each in listed:
            path = self._find(each)
            if path is None:
                self.missing.append(f"{each.label}/{each.stems[0]}")
            else:
                clips.append(Clip(path, each.label))
        return clips

    def _find(self, listed: Listed) -> Optional[Path]:
        for stem in listed.stems:
            path = self._in_class.get((_plain(listed.label), stem))
            if path is not None:
                return path
            if len(self._anywhere.get(stem, ())) == 1:
                return self._anywhere[stem][0]
        return None


def _plain(label: str) -> str:
    """Downloads write the spaces of a class in their own ways."""
    return label.replace(" ", "_").lower()


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
    for names in (("train",), ("val", "validate", "validation")):
        sheet = _one_of(files, [f"{prefix}{name}.csv" for name in names for prefix in ("", "kinetics_400_")])
        clips = []
        for where, row in _table(sheet, ("label", "youtube_id", "time_start", "time_end"), ","):
            try:
                start, end = int(float(row["time_start"])), int(float(row["time_end"]))
            except ValueError as error:
                raise DatasetError(f"{where}: time_start and time_end are seconds ({error})") from error
            name = row["youtube_id"]
            clips.append(Listed((f"{name}_{start:06d}_{end:06d}", name), row["label"]))
        parts.append(clips)
    return Lists(sorted({clip.label for clip in parts[0]}), parts[0], parts[1])


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
