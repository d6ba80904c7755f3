"""What a prepared folder remembers: a journal that a kill may cut off anywhere, and the manifest of what is whole.

The journal is written by one process, a line a clip, after the clip is in its place; a line that is not whole is as
good as none. Its first line says what the folder is prepared as. The manifest is made of it, and of nothing that
differs from one run to another.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type

from edgecvar.datasets.clip import Prepared, Stamp
from edgecvar.datasets.sources import LeftOut
from edgecvar.documents import parse_json, read_text
from edgecvar.errors import DatasetError, reason
from edgecvar.files import named, whole_file
from edgecvar.terminal import json_line

STATE = ".prepare"
JOURNAL = "journal.jsonl"
MANIFEST = "prepared.json"
SCHEMA = 1
_MOST = 1 << 30
"""Bytes of a journal, at most: those of the largest sets have some 200 MB."""


@dataclass(frozen=True)
class Remembered:
    """What a folder is prepared as (`settings`), of which data set, and the clips that are in it, by their output."""

    settings: Dict[str, Any]
    data: str
    clips: Dict[str, Prepared]


def remembered(folder: Path) -> Optional[Remembered]:
    """None of a folder that nothing has been prepared in; raises DatasetError where the journal cannot be read."""
    path = folder / STATE / JOURNAL
    try:
        if not path.exists():
            return None
        first, *lines = read_text(path, _MOST).split("\n")
        head = parse_json(first)
        settings, data = dict(head["settings"]), str(head["data"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({reason(error)}); prepare into a new folder") from error
    clips = (_clip(line) for line in lines[:-1])  # what is behind the last line's end is cut off
    return Remembered(settings, data, {each.output: each for each in clips if each is not None})


def _clip(line: str) -> Optional[Prepared]:
    try:
        told = parse_json(line)
        stretch, lost = told["stretch"], {str(why): int(count) for why, count in told["lost"].items()}
        stamps = {name: Stamp(**told[name]) for name in ("source_stamp", "stamp")}
        return Prepared(**{**told, **stamps, "stretch": stretch and (int(stretch[0]), int(stretch[1])), "lost": lost})
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


class Journal:
    """Open for what is still to come; a context manager."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], data: str) -> None:
        self._path = folder / STATE / JOURNAL
        if not self._path.exists():
            with whole_file(self._path) as draft:
                draft.write_text(json_line({"settings": settings, "data": data}) + "\n", encoding="utf-8")
        self._cut_off()
        self._file = self._path.open("a", encoding="utf-8")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._file.close()

    def add(self, clip: Prepared) -> None:
        """A clip that is in its place; raises OSError."""
        with named(self._path):
            self._file.write(json_line(dataclasses.asdict(clip)) + "\n")
            self._file.flush()

    def _cut_off(self) -> None:
        """Half a line would spoil the one that follows it."""
        with self._path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            while end:
                size = min(end, 1 << 16)
                file.seek(end - size)
                at = file.read(size).rfind(b"\n")
                if at >= 0:
                    file.truncate(end - size + at + 1)
                    return
                end -= size


def write_manifest(
    folder: Path, settings: Mapping[str, Any], clips: Sequence[Prepared], left_out: Sequence[LeftOut]
) -> None:
    """The document of a folder that is whole: settings, then a line for each clip, and for each that gave none."""
    head = {"schema": SCHEMA, **settings, "pictures": sum(clip.pictures for clip in clips)}
    lists: List[Tuple[str, List[str]]] = [
        ("clips", [json_line(_told(clip)) for clip in sorted(clips, key=lambda clip: clip.output)]),
        ("left_out", [json_line(dataclasses.asdict(each)) for each in left_out]),
    ]
    with whole_file(folder / MANIFEST) as draft, draft.open("w", encoding="utf-8") as file:
        file.write(json_line(head)[:-1])
        for name, lines in lists:
            file.write(f', "{name}": [' + ",".join(f"\n{line}" for line in lines) + "\n]")
        file.write("}\n")


def _told(clip: Prepared) -> Dict[str, Any]:
    """Without when files were changed, which is another time in every run."""
    told = dataclasses.asdict(clip)
    sizes = {"source_bytes": told.pop("source_stamp")["bytes"], "bytes": told.pop("stamp")["bytes"]}
    return {**told, **sizes}
