"""Real prepared inputs for the parity check: samples, and the same samples as a batch of clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgecvar.bundle.stages import has_state
from edgecvar.clips.messages import SampledPicture
from edgecvar.clips.samples import histories, read_samples, sampled_clips
from edgecvar.compile.subject import Subject
from edgecvar.errors import CompileError, EdgecvarError
from edgecvar.nets.batch import ClipBatch

SAMPLES = 8
"""Sampled pictures in all: enough for several windows, few enough to take seconds at the paper's size."""


@dataclass(frozen=True)
class RealInputs:
    """Samples, and the clips that gave them."""

    clips: List[Path]
    samples: List[SampledPicture]

    def batch(self, segments: int = 1) -> ClipBatch:
        """A clip of `segments` for each sample, labels 0: what a walk over the stages has seen by then."""
        samples = self.samples
        past = histories(samples, segments)
        return ClipBatch(
            image=_clips([sample.current.image for sample in samples], past),
            adjacent_image=_clips([sample.neighbour.image for sample in samples], past),
            motion=_clips([sample.inputs["motion"] for sample in samples], past),
            residual=_clips([sample.inputs["residual"] for sample in samples], past),
            labels=torch.zeros(len(samples), dtype=torch.int64),
            frame=self._given("frame", past),
            intra=self._given("intra", past),
        )

    def _given(self, source: str, past: NDArray[np.int64]) -> Optional[Tensor]:
        values = [sample.inputs.get(source) for sample in self.samples]
        return None if any(value is None for value in values) else _clips(values, past)


def _clips(arrays: Sequence[Optional[NDArray[np.float32]]], past: NDArray[np.int64]) -> Tensor:
    """(N, T, channels, h, w) of N arrays (channels, h, w) and their places (N, T)."""
    return torch.from_numpy(np.stack([array for array in arrays if array is not None])[past])


def read_inputs(clips: List[Path], subject: Subject) -> RealInputs:
    """Prepared inputs of these clips for the stages of `subject`; raises CompileError."""
    try:
        samples = read_samples(
            clips, subject.input, SAMPLES, frames=subject.frames, remembering=has_state(subject.stages)
        )
    except EdgecvarError as error:
        raise CompileError(f"the stages cannot be checked with this clip: {error}; name another with --data") from error
    if not samples:
        names = ", ".join(str(clip) for clip in clips)
        raise CompileError(
            f"{names}: no {subject.input.kinds_named} picture to check the stages with; name another clip with --data"
        )
    return RealInputs(sampled_clips(clips, samples), samples)
