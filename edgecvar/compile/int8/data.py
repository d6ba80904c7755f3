"""The clips that int8 is made with: some give the ranges, others judge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from edgecvar.bundle.stages import takes_frames
from edgecvar.clips.labelled import find_videos
from edgecvar.clips.samples import Sample, read_samples, spread
from edgecvar.compile.subject import CompileConfig, Subject
from edgecvar.errors import CompileError, ConfigError, EdgecvarError
from edgecvar.train.data.labels import load_split
from edgecvar.train.recipe import parse_recipe

CLIPS = 64
CALIBRATION_SAMPLES = 128
"""For the ranges of activations; more hardly moves them."""


@dataclass(frozen=True)
class Int8Data:
    """Samples that give the ranges, and others, of other clips, that judge; `name` is what the user called the data."""

    name: str
    clips: List[Path]
    calibration: List[Sample]
    search: List[Sample]


def why_no_int8(config: CompileConfig, subject: Subject) -> Optional[str]:
    """Why there are no clips to make int8 with, in words; None where `data` or the run's recipe names some."""
    if config.data is not None:
        if config.data.is_dir():
            return None
        return f"{config.data} is one clip, and some calibrate while others judge: name a folder with --data"
    if subject.recipe_with_clips() is not None:
        return None
    return "no clips to calibrate it with: name a folder with --data"


def read_int8_data(config: CompileConfig, subject: Subject) -> Int8Data:
    """Samples of `data`, one half of its clips for each, or of the run's own training and validation clips.

    Raises ConfigError where no data set is named, and CompileError where a clip of it cannot be read.
    """
    name, calibration, judges = _find_halves(config, subject)
    calibration, judges = spread(calibration, CLIPS), spread(judges, max(CLIPS, config.search_samples))
    try:
        return Int8Data(
            name=name,
            clips=calibration,
            calibration=_some(calibration, subject, CALIBRATION_SAMPLES),
            search=_some(judges, subject, config.search_samples),
        )
    except EdgecvarError as error:
        raise CompileError(
            f"int8 cannot be calibrated: {error}; take that clip out, name others with --data, or leave int8 out with "
            "--precision fp32,fp16"
        ) from error


def _some(clips: Sequence[Path], subject: Subject, count: int) -> List[Sample]:
    samples = read_samples(clips, subject.input, count, frames=takes_frames(subject.network.stages()))
    if not samples:
        raise CompileError(f"{clips[0]} and {len(clips) - 1} more clips: no P or B picture in them")
    return samples


def _find_halves(config: CompileConfig, subject: Subject) -> Tuple[str, List[Path], List[Path]]:
    reason = why_no_int8(config, subject)
    if reason is not None:
        raise ConfigError(f"int8: {reason}, or leave int8 out with --precision fp32,fp16")
    if config.data is not None:
        clips = find_videos([config.data])
        if len(clips) < 2:
            raise ConfigError(f"int8: {config.data} holds one clip, and some calibrate while others judge")
        return (str(config.data), *halves(clips))
    split = load_split(parse_recipe(str(subject.recipe)).data)
    train, validation = [clip.path for clip in split.train], [clip.path for clip in split.validation]
    return (str(subject.data), *((train, validation) if validation else halves(train)))


def halves(clips: Sequence[Path]) -> Tuple[List[Path], List[Path]]:
    """One of each two neighbours for either half, so that both have every class.

    Which one goes by the sequence of Thue and Morse, which repeats nothing: of names that end in left, right, left,
    right, every second one would be all of one kind.
    """
    second = [bin(place).count("1") % 2 == 1 for place in range(len(clips))]
    return [c for c, later in zip(clips, second) if not later], [c for c, later in zip(clips, second) if later]
