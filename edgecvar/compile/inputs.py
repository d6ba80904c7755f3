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
from edgecvar.compile.subject import CompileConfig, Subject
from edgecvar.errors import CompileError, EdgecvarError
from edgecvar.nets.batch import ClipBatch
from edgecvar.run.samples import Sample, find_clips, read_samples, spread
from edgecvar.train.labels import load_split
from edgecvar.train.recipe import parse_recipe

CLIPS = 3
SAMPLES = 8
"""Sampled pictures in all: enough for several windows, few enough to take seconds at the paper's size."""


@dataclass(frozen=True)
class RealInputs:
    """Sampled pictures, each with its neighbour's I-picture, and the clips that they are from."""

    clips: List[Path]
    samples: List[Sample]

    def batch(self) -> ClipBatch:
        """All samples as one batch of clips with a single segment, labels 0."""
        samples = [sample for sample, _ in self.samples]
        return ClipBatch(
            image=_stacked([sample.current.image for sample in samples]),
            adjacent_image=_stacked([neighbour.image for _, neighbour in self.samples]),
            motion=_stacked([sample.inputs["motion"] for sample in samples]),
            residual=_stacked([sample.inputs["residual"] for sample in samples]),
            labels=torch.zeros(len(samples), dtype=torch.int64),
        )


def _stacked(arrays: Sequence[Optional[NDArray[np.float32]]]) -> Tensor:
    """(N, 1, channels, h, w)."""
    return torch.from_numpy(np.stack([array for array in arrays if array is not None])).unsqueeze(1)


def read_inputs(config: CompileConfig, subject: Subject) -> RealInputs:
    """Prepared inputs from `data`, or the run's own clips, or the clip that the package ships; raises CompileError."""
    clips = spread(_find_clips(config.data, subject), CLIPS)
    try:
        samples = read_samples(clips, subject.input, SAMPLES)
    except EdgecvarError as error:
        raise CompileError(f"the stages cannot be checked with this clip: {error}; name another with --data") from error
    if not samples:
        names = ", ".join(str(clip) for clip in clips)
        raise CompileError(f"{names}: no P or B picture to check the stages with; name another clip with --data")
    return RealInputs(clips, samples)


def _find_clips(data: Optional[Path], subject: Subject) -> List[Path]:
    if data is not None:
        return find_clips(data)
    if subject.recipe is not None and subject.data is not None and Path(subject.data).exists():
        split = load_split(parse_recipe(subject.recipe))
        return [clip.path for clip in split.validation or split.train]
    return [default_clip()]
