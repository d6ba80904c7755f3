"""TSN on I-pictures alone: the baseline that uses no motion (Wang et al. 2016).

One ResNet-50 scores each sampled window's I-picture, and the scores of a clip are the mean over its samples, the
average consensus of section 3.1. It is the first row of Wang et al. 2021 (TEAM-Net), table 1. Dropout before the
classifier is in section 3.2 with 0.8, for BN-Inception; TEAM-Net's code, whose figures these are, has 0.5.
"""

from __future__ import annotations

from typing import List, Mapping

from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.nets.backbones.resnet import RESNETS, ResNet, ResNetOptions, resnet_options
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.stages import opening
from edgecvar.nets.temporal import PictureNetwork, Temporal, temporal_options


class TsnOptions(BaseModel):
    """The backbone, the dropout before the classifier, and how pictures become a clip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: ResNetOptions = RESNETS["resnet50"]
    dropout: float = Field(default=0.5, ge=0, lt=1)
    temporal: Temporal = "average"

    _named_backbone = field_validator("backbone", mode="before")(resnet_options)
    _named_temporal = field_validator("temporal", mode="before")(temporal_options)


class Appearance(nn.Module):
    """An I-picture (B, 3, h, w) to scores (B, classes)."""

    def __init__(self, options: TsnOptions, classes: int) -> None:
        super().__init__()
        self.backbone = ResNet(options.backbone)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(self.backbone.channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.backbone(images)  # (B, 2048, h / 32, w / 32)
        scores: Tensor = self.classifier(self.dropout(maps.mean((2, 3))))
        return scores


class Tsn(PictureNetwork):
    """The whole network; `classes` scores from inputs of `spec`'s size."""

    def __init__(self, options: TsnOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.appearance = Appearance(options, classes)

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return {"appearance": self.appearance}

    def stages(self) -> List[StageSpec]:
        return [opening("appearance", "image", self.spec, [self.classes])]

    def forward(self, batch: ClipBatch) -> Tensor:
        return batch.mean(self.each_picture(batch))  # (N, classes)

    def each_picture(self, batch: ClipBatch) -> Tensor:
        every: Tensor = self.appearance(batch.image.flatten(0, 1)).unflatten(0, batch.image.shape[:2])
        return every
