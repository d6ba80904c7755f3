"""Motion alone: what moved, in the order in which it did, seen in vectors and residuals of every sampled picture.

A small convolution looks at one picture's velocity, its magnitude and that of the residual on a grid of 4 x 4 input
pixels, and, if asked to, at how much of it is coded intra: where nothing moves that the encoder could follow. What it
finds goes through causal dilated convolutions over time (Bai et al. 2018, section 3) to a fading mean and a fading
peak, of which a linear layer makes the scores at that picture. The past is state of bounded size, zero at the start of
a stream: nothing looks ahead, and nothing depends on how long a clip is.

A clip's scores are the mean of its pictures' scores, which is what is trained and what is evaluated.
"""

from __future__ import annotations

from typing import List, Mapping, Tuple

import torch
from pydantic import Field
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.modules.past import Past, PastOptions
from edgecvar.nets.network import Network
from edgecvar.nets.stages import joining, prepared_input

CELL = 4
"""Input pixels along a side of a cell of the grid."""
STRIDE = 2 * CELL
"""Input pixels from one place of the feature maps to the next."""


class MotionOptions(PastOptions):
    """`channels`: of a picture's maps. `residual`, `intra`: look at it too. The rest is how the past is seen.

    `anywhere`: what happens is the same wherever in the picture it does: of the maps go on their means and peaks.
    """

    channels: int = Field(default=12, ge=1, le=256)
    anywhere: bool = False
    residual: bool = True
    intra: bool = False

    @property
    def sources(self) -> Tuple[str, ...]:
        """The prepared inputs that are looked at."""
        return ("motion", *(["residual"] if self.residual else []), *(["intra"] if self.intra else []))


class Picture(nn.Module):
    """One picture's inputs to features (B, width, 1, 1).

    They are velocity (B, 2, h, w) and, if looked at, residual (B, 3, h, w) and share of intra area (B, 1, h, w).
    """

    def __init__(self, options: MotionOptions, spec: InputSpec) -> None:
        super().__init__()
        if spec.height % STRIDE or spec.width % STRIDE:
            got = f"{spec.width} x {spec.height}"
            raise ConfigError(f"input: got {got}, expected multiples of {STRIDE} for this network, such as 64 x 48")
        places = (spec.height // STRIDE, spec.width // STRIDE)
        self.residual = options.residual
        self.grid = nn.AvgPool2d(CELL)
        self.conv = nn.Conv2d(3 + len(options.sources), options.channels, 3, stride=2, padding=1, bias=False)
        self.conv_norm = nn.BatchNorm2d(options.channels)
        self.anywhere = options.anywhere
        pooled = (2 * options.channels, (1, 1)) if options.anywhere else (options.channels, places)
        self.project = nn.Conv2d(pooled[0], options.width, pooled[1], bias=False)
        self.project_norm = nn.BatchNorm2d(options.width)

    def forward(self, velocity: Tensor, *others: Tensor) -> Tensor:
        sizes = [each.abs().mean(1, keepdim=True) for each in others[: self.residual]]
        seen = [velocity, velocity.abs(), *sizes, *others[self.residual :]]
        maps = torch.relu(self.conv_norm(self.conv(self.grid(torch.cat(seen, 1)))))  # (B, channels, h / 8, w / 8)
        if self.anywhere:
            maps = torch.cat([maps.mean((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)], 1)
        features: Tensor = self.project_norm(self.project(maps))
        return features


class MotionStage(nn.Module):
    """One picture's inputs and the states to its scores (B, classes) and the states for the next picture."""

    def __init__(self, options: MotionOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.prepared = len(options.sources)
        self.picture = Picture(options, spec)
        self.past = Past(options, classes)

    def forward(self, *tensors: Tensor) -> Tuple[Tensor, ...]:
        """The inputs of `Picture`, then the states."""
        prepared, states = tensors[: self.prepared], tensors[self.prepared :]
        scores, *newest = self.past(self.picture(*prepared), *states)
        return (scores.flatten(1), *newest)

    def sequence(self, *prepared: Tensor) -> Tensor:
        """The prepared inputs of clips (N, T, channels, h, w) to the scores at each picture (N, T, classes)."""
        clips = prepared[0].shape[:2]
        features = self.picture(*(each.flatten(0, 1) for each in prepared))
        features = features.unflatten(0, clips).squeeze(4).transpose(1, 2)  # (N, width, T, 1)
        states = [features.new_zeros(len(features), *shape) for shape in self.past.state_shapes.values()]
        scores: Tensor = self.past(features, *states)[0]
        return scores


class Motion(Network):
    """The whole network; `classes` scores from inputs of `spec`'s size."""

    def __init__(self, options: MotionOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.motion = MotionStage(options, spec, classes)

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return {"motion": self.motion}

    def stages(self) -> List[StageSpec]:
        inputs = [prepared_input(source, self.spec) for source in self.options.sources]
        return [joining("motion", inputs, [self.classes], self.motion.past.state_shapes)]

    def forward(self, batch: ClipBatch) -> Tensor:
        return batch.mean(self.each_picture(batch))

    def each_picture(self, batch: ClipBatch) -> Tensor:
        """Scores (N, T, classes) at each picture, made of it and those before it."""
        scores: Tensor = self.motion.sequence(*(getattr(batch, source) for source in self.options.sources))
        return scores
