"""Real prepared inputs for the parity check: which clips, and the samples as a batch of clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgecvar.bundle.default import default_clip
from edgecvar.bundle.stages import takes_frames
from edgecvar.clips.labelled import find_videos
from edgecvar.clips.samples import Sample, histories, read_samples, spread
from edgecvar.compile.subject import CompileConfig, Subject
from edgecvar.errors import CompileError, EdgecvarError
from edgecvar.nets.batch import ClipBatch
from edgecvar.train.data.labels import load_split

CLIPS = 3
SAMPLES = 8
"""Sampled pictures in all: enough for several windows, few enough to take seconds at the paper's size."""


@dataclass(frozen=True)
class RealInputs:
    """Sampled pictures, each with its neighbour's I-picture, and the clips that they are from."""

    clips: List[Path]
    samples: List[Sample]

    def batch(self, segments: int = 1) -> ClipBatch:
        """A clip of `segments` for each sample, labels 0: what a walk over the stages has seen by then."""
        samples = [sample for sample, _ in self.samples]
        past = histories(self.samples, segments)
        return ClipBatch(
            image=_clips([sample.current.image for sample in samples], past),
            adjacent_image=_clips([neighbour.image for _, neighbour in self.samples], past),
            motion=_clips([sample.inputs["motion"] for sample in samples], past),
            residual=_clips([sample.inputs["residual"] for sample in samples], past),
            labels=torch.zeros(len(samples), dtype=torch.int64),
            frame=_clips([sample.inputs["frame"] for sample in samples], past) if self._framed else None,
        )

    @property
    def _framed(self) -> bool:
        return all("frame" in sample.inputs for sample, _ in self.samples)


def _clips(arrays: Sequence[Optional[NDArray[np.float32]]], past: NDArray[np.int64]) -> Tensor:
    """(N, T, channels, h, w) of N arrays (channels, h, w) and their places (N, T)."""
    return torch.from_numpy(np.stack([array for array in arrays if array is not None])[past])


def read_inputs(config: CompileConfig, subject: Subject) -> RealInputs:
    """Prepared inputs from `data`, or the run's own clips, or the clip that the package ships; raises CompileError."""
    clips = spread(_find_clips(config.data, subject), CLIPS)
    try:
        samples = read_samples(clips, subject.input, SAMPLES, frames=takes_frames(subject.network.stages()))
    except EdgecvarError as error:
        raise CompileError(f"the stages cannot be checked with this clip: {error}; name another with --data") from error
    if not samples:
        names = ", ".join(str(clip) for clip in clips)
        raise CompileError(f"{names}: no P or B picture to check the stages with; name another clip with --data")
    return RealInputs(clips, samples)


def _find_clips(data: Optional[Path], subject: Subject) -> List[Path]:
    if data is not None:
        return find_videos([data])
    recipe = subject.recipe_with_clips()
    if recipe is not None:
        split = load_split(recipe.data)
        return [clip.path for clip in split.validation or split.train]
    return [default_clip()]
