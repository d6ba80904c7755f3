"""The clips of an official split, found among the videos that are there.

A list names clips, not where they lie or how they were encoded since: a clip is found in the recipe's `data` by its
name without suffix, in a folder of its class or anywhere where the name is the only one of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from edgecvar.clips.labelled import Clip, videos_below
from edgecvar.datasets.lists import READERS, Listed
from edgecvar.errors import DatasetError
from edgecvar.train.data.drawing import Draw
from edgecvar.train.settings import SplitSettings

SHOWN = 5
"""Missing clips that an error names; the others are counted."""


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


def official_split(settings: SplitSettings, videos: Path) -> Split:
    """The clips that the lists name, found in the folder `videos`; raises DatasetError."""
    files = Path(settings.files)
    if not files.is_dir():
        raise DatasetError(
            f"{files}: no such folder; split.files=FOLDER names that of the official lists of {settings.format}, and "
            "data=FOLDER that of the videos"
        )
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
