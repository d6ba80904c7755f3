"""CoViAR: three networks on I, MV and R whose scores are fused late (Wu et al. 2018).

    s = (w_I s_I(I) + w_MV s_MV(MV) + w_R s_R(R)) / (w_I + w_MV + w_R)

s_I is a ResNet-152, s_MV and s_R are ResNet-18s (Shou et al. 2019, sections 2 and 4.2); with ResNet-50 for I it is what
Wang et al. 2021 re-implemented for their table 1. MV and R are accumulated: traced back to the I-picture
(`InputSpec.accumulate`). The three share nothing, and the paper trains them one by one: under the loss `streams` one
run does the same, each stream by its own cross-entropy; `rates` gives each its own rate.

What DMC-Net's and TEAM's descriptions leave open, and what is chosen, is as in the authors' released code:

- The weights of the fusion: 2 for I and 1 each for MV and R, of logits averaged over samples. Dividing by their sum
  changes no decision and keeps the fused scores as sure as one stream's.
- A batch norm on the input of MV and of R, none on I (`data_norm`).
- Features go into one linear layer, without dropout.

The released code starts MV's first convolution at random; what it starts from here is what the file `weights` gives,
as `train.weights` says. Huo et al. 2020, table 2, quote 83.6 M parameters and 14.9 G. The parameters are those of the
ImageNet networks with their 1000 classes, 60.2 + 2 x 11.7; with 51 they are 80.7 M. 14.9 is 11.3 + 2 x 1.8, a decision
on one I, MV and R, where 11.3 has the stride of a bottleneck in its first convolution (see `resnet`): here 15.1 G.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import List, Mapping, Tuple

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.nets.backbones.resnet import RESNETS, ResNet, ResNetOptions, resnet_options
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.features import Features
from edgecvar.nets.network import Network
from edgecvar.nets.stages import MODALITIES, joining, opening, stage_output


class FusionWeights(BaseModel):
    """w of each stream; 0 leaves a stream out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    appearance: float = Field(default=2.0, ge=0)
    motion: float = Field(default=1.0, ge=0)
    residual: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _some_stream(self) -> FusionWeights:
        if self.appearance + self.motion + self.residual == 0:
            raise ValueError("every stream is left out; give one of them a weight above 0")
        return self


class CoviarOptions(BaseModel):
    """The backbones, how their scores are fused, and whether MV and R are normalised by a batch norm first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    appearance: ResNetOptions = RESNETS["resnet152"]
    motion: ResNetOptions = RESNETS["resnet18"]
    residual: ResNetOptions = RESNETS["resnet18"]
    weights: FusionWeights = FusionWeights()
    data_norm: bool = True

    _named_backbones = field_validator(*MODALITIES, mode="before")(resnet_options)

    @property
    def streams(self) -> Tuple[str, ...]:
        """Those that count."""
        return tuple(name for name in MODALITIES if getattr(self.weights, name) > 0)


class Stream(nn.Module):
    """One prepared input (B, c, h, w) to scores (B, classes)."""

    def __init__(self, options: ResNetOptions, channels: int, classes: int, norm: bool) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm2d(channels) if norm else None
        self.backbone = ResNet(options, channels, classes)

    def forward(self, prepared: Tensor) -> Tensor:
        scores: Tensor = self.backbone(prepared if self.data_bn is None else self.data_bn(prepared))
        return scores


class LateFusion(nn.Module):
    """Scores (B, classes) of each stream to their weighted mean."""

    def __init__(self, weights: List[float]) -> None:
        super().__init__()
        self.shares = [weight / sum(weights) for weight in weights]

    def forward(self, *scores: Tensor) -> Tensor:
        return torch.stack([share * each for share, each in zip(self.shares, scores)]).sum(0)


class LateFused(Network):
    """A network of streams that share nothing, each with scores of its own, which `fuse` brings together."""

    fuse: LateFusion

    @property
    @abstractmethod
    def streams(self) -> Tuple[str, ...]:
        """Their names, in the order that `fuse` takes their scores."""

    @abstractmethod
    def stream_scores(self, name: str, batch: ClipBatch) -> Tensor:
        """Scores (N, classes) of one stream alone; nothing else is computed."""


class Coviar(LateFused):
    """The whole network; `classes` scores from inputs of `spec`'s size."""

    def __init__(self, options: CoviarOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        for name in options.streams:
            norm = options.data_norm and name != "appearance"
            channels = spec.shape(MODALITIES[name])[0]
            self.add_module(name, Stream(getattr(options, name), channels, classes, norm))
        self.fuse = LateFusion([getattr(options.weights, name) for name in options.streams])

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return {name: self.get_submodule(name) for name in (*self.options.streams, "fuse")}

    def stages(self) -> List[StageSpec]:
        scores = [self.classes]
        streams = [opening(name, MODALITIES[name], self.spec, scores) for name in self.options.streams]
        return [*streams, joining("fuse", [stage_output(name, scores) for name in self.options.streams], scores)]

    def forward(self, batch: ClipBatch) -> Tensor:
        return self.features(batch).scores

    def features(self, batch: ClipBatch) -> Features:
        """Fused scores (N, classes), and those of each stream, which learns from its own alone."""
        scores = tuple(self.stream_scores(name, batch) for name in self.streams)
        return Features(self.fuse(*scores), streams=scores)

    @property
    def streams(self) -> Tuple[str, ...]:
        return self.options.streams

    def stream_scores(self, name: str, batch: ClipBatch) -> Tensor:
        scores: Tensor = self.stage(name)(getattr(batch, MODALITIES[name]).flatten(0, 1))
        return batch.mean(scores.unflatten(0, batch.motion.shape[:2]))
