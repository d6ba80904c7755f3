"""The samples that int8 is made with: some give the ranges, others judge; and the record of what they gave."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np

from edgecvar.bundle.devices import Device
from edgecvar.bundle.precision import Int8Record
from edgecvar.bundle.stages import has_state
from edgecvar.clips.messages import SampledPicture
from edgecvar.clips.samples import read_samples, sampled_clips
from edgecvar.compile.int8.search import Int8Stages
from edgecvar.compile.plan import Int8Plan
from edgecvar.compile.subject import Subject
from edgecvar.errors import CompileError, EdgecvarError

CALIBRATION_SAMPLES = 128
"""For the ranges of activations; more hardly moves them."""

PICTURES_IN_ONE = 4
"""Times as many samples for a network that remembers: those of one clip are alike, and it is small."""


@dataclass(frozen=True)
class Int8Data:
    """Samples of the `clips` that give the ranges, and others, of other clips, that judge; the rest as in Int8Plan."""

    name: str
    clips: List[Path]
    calibration: List[SampledPicture]
    search: List[SampledPicture]
    max_drop: Optional[float]
    fastest_on: Optional[Device] = None

    def record(self, stages: Int8Stages) -> Int8Record:
        """How `stages` were made of these."""
        return Int8Record(
            data=self.name,
            clips=[clip.name for clip in self.clips],
            samples=len(self.calibration),
            inputs_sha256=hash_samples([*self.calibration, *self.search]),
            method=stages.method,
            losses=stages.losses,
            max_drop=self.max_drop,
            drop=stages.drop,
            searched=stages.searched,
            kept=stages.kept,
            timed=stages.timed,
        )


def read_int8_data(plan: Int8Plan, subject: Subject) -> Int8Data:
    """Samples of the plan's clips for the stages of `subject`; raises CompileError where a clip cannot be read."""
    try:
        calibration = _some(plan.calibrate, subject, CALIBRATION_SAMPLES)
        return Int8Data(
            name=plan.name,
            clips=sampled_clips(plan.calibrate, calibration),
            calibration=calibration,
            search=_some(plan.judge, subject, plan.search_samples),
            max_drop=plan.max_drop,
            fastest_on=plan.fastest_on,
        )
    except EdgecvarError as error:
        raise CompileError(
            f"int8 cannot be calibrated: {error}; take that clip out, name others with --data, or leave int8 out with "
            "--precision fp32,fp16"
        ) from error


def hash_samples(samples: Sequence[SampledPicture]) -> str:
    """sha256 of prepared inputs, in order."""
    digest = hashlib.sha256()
    for sample in samples:
        arrays = [
            sample.current.image,
            sample.neighbour.image,
            *(sample.inputs[name] for name in sorted(sample.inputs)),
        ]
        for array in arrays:
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _some(clips: Sequence[Path], subject: Subject, count: int) -> List[SampledPicture]:
    remembering = has_state(subject.stages)
    count *= PICTURES_IN_ONE if remembering else 1
    samples = read_samples(clips, subject.input, count, frames=subject.frames, remembering=remembering)
    if not samples:
        raise CompileError(
            f"{clips[0]} and {len(clips) - 1} more clips: no {subject.input.kinds_named} picture in them"
        )
    return samples
