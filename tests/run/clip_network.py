"""A made-up network that looks at clips: every kind of input with segments, none of which may be mistaken."""

from __future__ import annotations

from typing import List, Mapping

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.network import Network

WIDTH = 8


class MadeUpOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: int = Field(default=3, ge=1)


class Look(nn.Module):
    """(B, c, h, w) to (B, WIDTH, h / 8, w / 8)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, WIDTH, 8, 8, bias=False)
        self.norm = nn.BatchNorm2d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).relu()


class Clip(nn.Module):
    """Class scores of clips: features and motion (B, T, WIDTH, h', w'), neighbours and residual (B, T, 3, h, w)."""

    def __init__(self, segments: int, classes: int) -> None:
        super().__init__()
        self.temporal = nn.Conv3d(WIDTH, WIDTH, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm3d(WIDTH)
        self.residual = Look(3)
        self.neighbour = Look(3)
        self.segments = segments
        self.classify = nn.Linear(4 * WIDTH * segments, classes)

    def forward(self, appearance: Tensor, neighbour: Tensor, motion: Tensor, residual: Tensor) -> Tensor:
        moves = self.norm(self.temporal(motion.transpose(1, 2))).relu().transpose(1, 2)
        changes = self.residual(residual.flatten(0, 1)).unflatten(0, (-1, self.segments))
        beside = self.neighbour(neighbour.flatten(0, 1)).unflatten(0, (-1, self.segments))
        means = [maps.mean((3, 4)) for maps in (appearance, beside, moves, changes)]  # (B, T, WIDTH) each
        return self.classify(torch.cat(means, 2).flatten(1))


class MadeUp(Network):
    def __init__(self, options: MadeUpOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.appearance = Look(3)
        self.motion = Look(2)
        self.clip = Clip(options.segments, classes)

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return {"appearance": self.appearance, "motion": self.motion, "clip": self.clip}

    def stages(self) -> List[StageSpec]:
        image, motion, residual = (list(self.spec.shape(source)) for source in ("image", "motion", "residual"))
        maps = [WIDTH, self.spec.height // 8, self.spec.width // 8]
        length = self.options.segments
        taken = [
            StageInput(name="features", source="appearance", segments=length, shape=[length, *maps]),
            StageInput(name="beside", source="image", gop="adjacent", segments=length, shape=[length, *image]),
            StageInput(name="moves", source="motion", segments=length, shape=[length, *maps]),
            StageInput(name="changes", source="residual", segments=length, shape=[length, *residual]),
        ]
        return [
            StageSpec(
                name="appearance",
                cadence="gop",
                inputs=[StageInput(name="picture", source="image", shape=image)],
                output_shape=maps,
            ),
            StageSpec(
                name="motion",
                cadence="picture",
                inputs=[StageInput(name="field", source="motion", shape=motion)],
                output_shape=maps,
            ),
            StageSpec(name="clip", cadence="picture", inputs=taken, output_shape=[self.classes]),
        ]

    def forward(self, batch: ClipBatch) -> Tensor:
        lead = batch.motion.shape[:2]
        appearance = self.appearance(batch.image.flatten(0, 1)).unflatten(0, lead)
        motion = self.motion(batch.motion.flatten(0, 1)).unflatten(0, lead)
        scores: Tensor = self.clip(appearance, batch.adjacent_image, motion, batch.residual)
        return scores
