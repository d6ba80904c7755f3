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

    `anywhere`: what happens is the same wherever in the picture it does: of the maps, which two convolutions then make,
    go on the means, the peaks, and the means of the highest tenth. `compress`: what is seen is seen by its logarithm,
    log(1 + x), as what is near moves so many times faster than what is far.
    """

    channels: int = Field(default=12, ge=1, le=256)
    anywhere: bool = False
    compress: bool = False
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
        self.residual, self.compress, self.anywhere = options.residual, options.compress, options.anywhere
        self.grid = nn.AvgPool2d(CELL)
        seen, pooled, self.first = 3 + len(options.sources), (options.channels, places), nn.Sequential()
        if options.anywhere:
            few = -(-options.channels // 2)
            conv = nn.Conv2d(seen, few, 3, padding=1, bias=False)
            self.first = nn.Sequential(nn.BatchNorm2d(seen), conv, nn.BatchNorm2d(few), nn.ReLU())
            seen, pooled = few, (3 * options.channels, (1, 1))
        self.conv = nn.Conv2d(seen, options.channels, 3, stride=2, padding=1, bias=False)
        self.conv_norm = nn.BatchNorm2d(options.channels)
        self.project = nn.Conv2d(pooled[0], options.width, pooled[1], bias=False)
        self.project_norm = nn.BatchNorm2d(options.width)

    def forward(self, velocity: Tensor, *others: Tensor) -> Tensor:
        sizes = [each.abs().mean(1, keepdim=True) for each in others[: self.residual]]
        seen = [velocity, velocity.abs(), *sizes, *others[self.residual :]]
        grid = self.grid(torch.cat(seen, 1))
        if self.compress:
            grid = torch.log1p(torch.relu(grid)) - torch.log1p(torch.relu(-grid))
        maps = torch.relu(self.conv_norm(self.conv(self.first(grid))))  # (B, channels, h / 8, w / 8)
        features: Tensor = self.project_norm(self.project(_pooled(maps) if self.anywhere else maps))
        return features


def _pooled(maps: Tensor) -> Tensor:
    """Means, peaks and means of the highest tenth of maps (B, C, h, w): (B, 3 * C, 1, 1)."""
    places = maps.flatten(2)
    highest = places.topk(max(1, places.shape[2] // 10), 2).values
    return torch.cat([places.mean(2), places.amax(2), highest.mean(2)], 1)[..., None, None]


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
