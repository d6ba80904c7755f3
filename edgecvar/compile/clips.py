"""The clips of a compilation: which check its stages, which calibrate int8, and which judge it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from edgecvar.bundle.default import default_clip
from edgecvar.clips.labelled import Clip, find_videos
from edgecvar.compile.subject import Subject
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.splits import Split
from edgecvar.train.recipe import parse_recipe

Halves = Tuple[List[Path], List[Path]]
"""Clips that calibrate, and others that judge."""


@dataclass(frozen=True)
class ClipChoice:
    """Clips that check, and the halves for int8, or why there are none; `name` is what the user called them all."""

    name: str
    check: List[Path]
    halves: Optional[Halves] = None
    why_no_int8: Optional[str] = None


def choose_clips(data: Optional[Path], subject: Subject) -> ClipChoice:
    """The clips of `data`, or the run's own where all of them are here, or the clip that the package ships.

    What calibrates are a run's training clips, what judges those that validate; of `data` it is one half each.
    Raises DatasetError and ConfigError.
    """
    if data is not None:
        return _named(data)
    split = _split_of(subject)
    if split is None:
        why = "no clips to calibrate it with: name a folder with --data"
        return ClipChoice("", [default_clip()], why_no_int8=why)
    train, validation = [clip.path for clip in split.train], [clip.path for clip in split.validation]
    halves = (train, validation) if validation else split_in_halves(train)
    return ClipChoice(str(subject.data), validation or train, halves)


def validating_clips(subject: Subject) -> List[Clip]:
    """Those that validate in the subject's run; none where they are not here."""
    split = _split_of(subject)
    return [] if split is None else list(split.validation)


def split_in_halves(clips: Sequence[Path]) -> Halves:
    """One of each two neighbours for either half, so that both have every class.

    Which one goes by the sequence of Thue and Morse, which repeats nothing: of names that end in left, right, left,
    right, every second one would be all of one kind.
    """
    second = [bin(place).count("1") % 2 == 1 for place in range(len(clips))]
    return [c for c, later in zip(clips, second) if not later], [c for c, later in zip(clips, second) if later]


def _named(data: Path) -> ClipChoice:
    clips = find_videos([data])
    if not data.is_dir():
        why = f"{data} is one clip, and some calibrate while others judge: name a folder with --data"
        return ClipChoice(str(data), clips, why_no_int8=why)
    if len(clips) < 2:
        why = f"{data} holds one clip, and some calibrate while others judge: name a folder of more with --data"
        return ClipChoice(str(data), clips, why_no_int8=why)
    return ClipChoice(str(data), clips, split_in_halves(clips))


def _split_of(subject: Subject) -> Optional[Split]:
    """The clips of the subject's run, where all that its recipe reads them from is here."""
    if not subject.recipe:
        return None
    data = parse_recipe(subject.recipe).data
    places = [data.source, data.validation, None if data.split is None else data.split.files]
    here = all(Path(place).exists() for place in places if place is not None)
    return load_split(data) if here else None
