"""MEACI-Net: an I3D-ResNet-50 on I-pictures beside a CME network on MV and R, which meet often (Li et al. 2022).

After each layer l, a Selective Motion Complement unit (section 3.3, table A) takes motion into the RGB stream,

    F'_P = F_P * sigmoid(Att_SP(MP(F_P)))           (eq. 4)
    F_I := F_I + F'_P * sigmoid(Att_C(MP(F'_P)))    (eq. 5)

and after the last, a Cross-Modality Augment unit (table B) fuses both:

    F_fused = softmax(Q_P K_I^T / sqrt(d_k)) V_I + softmax(Q_I K_P^T / sqrt(d_k)) V_P
    s = (CLS(F_I) + CLS(F_P) + CLS(F_fused)) / 3

The rows of table 2 are `streams`: RGB, an I3D-ResNet-50 alone, MVR, the CME network alone, each with its own CLS and no
unit, or both. Those of table 4 are `smc`, `cma` and `lateral`: B2 has none of them and is the mean of two CLS; B2+Add
(`add`) and B2+LA (`la`) have, in SMC's places,

    F_I := F_I + F_P                     or    F_I := F_I + relu(BN(Conv_5x1x1(F_P)))

What the paper leaves open or prints twice, and what is chosen:

- CMA's attention. Section 3.3 prints Q_I K_I^T for both, which would never look at P; section A of the supplement
  prints the form above, and both call it cross attention: the supplement's is taken. Positions are those of the whole
  clip, each V's mean over them meets CLS, and scores are logits.
- MP of eq. 4 has no size. "Spatio-temporal" attention has to tell positions apart, so it is a 3 x 3 x 3 maximum around
  each (stride 1), and ReLU stands between the two convolutions. In eq. 5, table A gives Att_C one input channel: MP is
  the maximum over channels. "Padding 1" can only be meant for 3 x 3 x 3 kernels: others would grow the maps.
- Table 3 against the text. B1 (27.46 M with 101 classes) and B1+MSB with a 1 x 1 x 1 first convolution, as section
  3.2 has it (15.30 M), are met to the digit. The other rows are not of one DM: B1+DM prints 0.9 M for a DM on all of
  a block's C channels, and CME 7.9 M over B1+MSB for three on C / 4. Were a DM's weights to grow with the square of
  its channels, as eq. 2 says, the second would be 3 / 16 of the first, and if linearly, 3 / 4; it is nearly 9 times
  as much. Eq. 2 gives 11.32 M (38.78 M in all, not 28.4) and 2.12 M (17.42 M, not 23.2). No code was published.
- Table 1's 89 G is as far from the text: 1 x 1 x 1 first convolutions make 77.1 G. What is missing there and in the
  CME row is of the size of the I3D's kernels in time (3.68 M, 8.43 G), so `first_kernels: i3d` keeps them where the
  bottleneck that an MSB replaces has them: 85.5 G, and the CME row 21.10 M. `1x1x1` is the text.
- LA is "lateral connections" as in SlowFast (Feichtenhofer et al. 2019, section 3.4), and no more is said. Theirs is
  by default a 5 x 1 x 1 convolution from the pathway of motion, strided in time to the length of the other and twice
  its channels, followed by batch norm and ReLU in their published code and fused "by summation or concatenation". Here
  both streams have one length and the same channels, so it has stride 1 and keeps the channels, and what it gives is
  added: concatenation would change the RGB stream's layers, which no published weights would fit. It is after layers 1
  to 4, where SMC is, and not after the stem, where SlowFast's first is: table 4 then compares what is added alone.
  All four have 27.9 M weights and 32.9 G multiply-adds; SlowFast's are cheap by their thin pathway.

One stage: eq. 5 takes motion into the second layer of RGB already, and the stem's kernels see time.
"""

from __future__ import annotations

from typing import Any, List, Literal, Mapping

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import unknown_name
from edgecvar.nets.backbones.resnet3d import RESNETS_3D, ResNet3d, ResNet3dOptions, resnet3d_options
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.modules.motion_enhancement import MOTION_BLOCKS
from edgecvar.nets.network import Network
from edgecvar.nets.stages import joining, prepared_input

REDUCTION = 16
"""Of channels inside the units: 256 to 16, ... 2048 to 128 (tables A and B)."""

LATERAL_LENGTH = 5
"""Of a lateral connection's kernel in time (Feichtenhofer et al. 2019, section 3.4)."""

SOURCES = {"both": ("image", "motion", "residual"), "rgb": ("image",), "mvr": ("motion", "residual")}
"""The prepared inputs of each row of table 2."""


class MeaciOptions(BaseModel):
    """`segments`: samples of a clip. `motion`: the row of table 3 that the motion stream is.

    `streams`: table 2; one alone has no units, whatever `smc` and `cma` say. `smc`, `cma`, `lateral`: table 4, where
    `lateral` stands in SMC's place and needs `smc: false`. `first_kernels`: lengths in time of the first convolution of
    a Multi-Scale Block, the I3D's there or 1 x 1 x 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: ResNet3dOptions = RESNETS_3D["i3d_resnet50"]
    segments: int = Field(default=8, ge=2, le=64)
    motion: Literal["b1", "b1+msb*", "b1+msb", "b1+dm", "cme"] = "cme"
    first_kernels: Literal["i3d", "1x1x1"] = "i3d"
    streams: Literal["both", "rgb", "mvr"] = "both"
    smc: bool = True
    cma: bool = True
    lateral: Literal["none", "add", "la"] = "none"
    dropout: float = Field(default=0.5, ge=0, lt=1)

    _named_backbone = field_validator("backbone", mode="before")(resnet3d_options)

    @field_validator("motion", mode="before")
    @classmethod
    def _known_motion(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in MOTION_BLOCKS:
            raise unknown_name("motion", value, MOTION_BLOCKS)
        return value

    @model_validator(mode="after")
    def _streams_meet_once(self) -> MeaciOptions:
        if self.lateral != "none" and self.streams != "both":
            raise ValueError(f"lateral: {self.lateral} joins two streams, and streams: {self.streams} is one")
        if self.lateral != "none" and self.smc:
            raise ValueError(f"lateral: {self.lateral} stands where SMC does; set smc: false with it")
        return self


class SelectiveMotionComplement(nn.Module):
    """SMC (eq. 4, 5): maps F_I and F_P (B, C, T, h, w) to the new F_I; names of table A."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = max(1, channels // REDUCTION)
        self.conv0 = nn.Conv3d(channels, reduced, 1)
        self.conv1 = nn.Conv3d(reduced, channels, 1)
        self.conv2 = nn.Conv3d(1, 1, 3, padding=1)

    def forward(self, appearance: Tensor, motion: Tensor) -> Tensor:
        nearby = functional.max_pool3d(motion, 3, 1, 1)
        attended = motion * torch.sigmoid(self.conv1(torch.relu(self.conv0(nearby))))  # F'_P
        strongest = attended.amax(1, keepdim=True)  # (B, 1, T, h, w)
        return appearance + attended * torch.sigmoid(self.conv2(strongest))


class CrossModalityAugment(nn.Module):
    """CMA: maps F_I and F_P (B, C, T, h, w) to F_fused (B, T * h * w, d_k)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.width = max(1, channels // REDUCTION)  # d_k
        parts = [f"{part}_{modality}" for modality in "ip" for part in ("query", "key", "value")]
        self.maps = nn.ModuleDict({part: nn.Conv3d(channels, self.width, 1) for part in parts})

    def forward(self, appearance: Tensor, motion: Tensor) -> Tensor:
        modality = {"i": appearance, "p": motion}
        part = {name: conv(modality[name[-1]]).flatten(2) for name, conv in self.maps.items()}  # (B, d_k, T * h * w)
        of_image = self._attend(part["query_p"], part["key_i"], part["value_i"])
        return of_image + self._attend(part["query_i"], part["key_p"], part["value_p"])

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        weights = torch.softmax(query.transpose(1, 2) @ key * self.width**-0.5, -1)
        return weights @ value.transpose(1, 2)

    def activation_products(self, appearance: Tensor, motion: Tensor) -> int:
        """Of Q K^T and of its product with V, for both modalities."""
        positions = appearance[0, 0].numel()
        return 2 * 2 * positions * positions * self.width * len(appearance)


class LateralConnection(nn.Module):
    """LA: maps F_I and F_P (B, C, T, h, w) to F_I and, added to it, what is near in time in F_P."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        length = LATERAL_LENGTH
        self.conv = nn.Conv3d(channels, channels, (length, 1, 1), padding=(length // 2, 0, 0), bias=False)
        self.bn = nn.BatchNorm3d(channels)

    def forward(self, appearance: Tensor, motion: Tensor) -> Tensor:
        return appearance + torch.relu(self.bn(self.conv(motion)))


class MeaciClip(nn.Module):
    """The stage: image (B, T, 3, h, w), MV (B, T, 2, h, w) and R (B, T, 3, h, w) to scores (B, classes)."""

    def __init__(self, options: MeaciOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.appearance = _appearance(options, spec, classes)
        self.motion = _motion(options, spec, classes)
        channels = self.appearance.layer_channels[1:]
        self.adds = options.lateral == "add"
        self.smc = nn.ModuleList(SelectiveMotionComplement(each) for each in channels if options.smc)
        self.la = nn.ModuleList(LateralConnection(each) for each in channels if options.lateral == "la")
        self.cma = CrossModalityAugment(self.appearance.channels) if options.cma else None
        self.fused = None if self.cma is None else nn.Linear(self.cma.width, classes)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, image: Tensor, motion: Tensor, residual: Tensor) -> Tensor:
        still = self.appearance.stem(image.transpose(1, 2))  # (B, 64, T, h / 4, w / 4)
        moving = self.motion.stem(torch.cat([motion, residual], 2).transpose(1, 2))
        units: List[Any] = [*self.smc, *self.la] or [torch.add if self.adds else _apart] * 4
        for look, move, unit in zip(self.appearance.layers(), self.motion.layers(), units):
            still, moving = look(still), move(moving)
            still = unit(still, moving)
        heads: List[Any] = [self.appearance.fc, self.motion.fc]
        features = [still.mean((2, 3, 4)), moving.mean((2, 3, 4))]
        if self.cma is not None:
            heads.append(self.fused)
            features.append(self.cma(still, moving).mean(1))
        scores = [head(self.dropout(each)) for head, each in zip(heads, features)]  # CLS of each
        return torch.stack(scores).mean(0)


class MeaciStream(nn.Module):
    """The stage of one stream alone: image, or MV and R (B, T, ..., h, w), to scores (B, classes)."""

    def __init__(self, options: MeaciOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.name, build = ("appearance", _appearance) if options.streams == "rgb" else ("motion", _motion)
        self.add_module(self.name, build(options, spec, classes))
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, *inputs: Tensor) -> Tensor:
        stream: Any = self.get_submodule(self.name)
        maps = stream.stem((inputs[0] if len(inputs) == 1 else torch.cat(inputs, 2)).transpose(1, 2))
        for layer in stream.layers():
            maps = layer(maps)
        scores: Tensor = stream.fc(self.dropout(maps.mean((2, 3, 4))))
        return scores


class Meaci(Network):
    """The whole network; `classes` scores of clips of `segments` samples of `spec`'s size."""

    def __init__(self, options: MeaciOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.sources = SOURCES[options.streams]
        stage = MeaciClip if options.streams == "both" else MeaciStream
        self.clip: nn.Module = stage(options, spec, classes)

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return {"clip": self.clip}

    def stages(self) -> List[StageSpec]:
        inputs = [prepared_input(source, self.spec, self.options.segments) for source in self.sources]
        return [joining("clip", inputs, [self.classes])]

    def forward(self, batch: ClipBatch) -> Tensor:
        self.check_clip(batch.motion.shape[1], self.options.segments)
        scores: Tensor = self.clip(*(getattr(batch, source) for source in self.sources))
        return scores


def _appearance(options: MeaciOptions, spec: InputSpec, classes: int) -> ResNet3d:
    return ResNet3d(options.backbone, spec.shape("image")[0], classes)


def _motion(options: MeaciOptions, spec: InputSpec, classes: int) -> ResNet3d:
    flat = options.first_kernels == "1x1x1" and options.motion not in ("b1", "b1+dm")
    changes = {"kernels": ((1,), (1,), (1,), (1,))} if flat else {}
    channels = sum(spec.shape(source)[0] for source in SOURCES["mvr"])
    return ResNet3d(options.backbone.model_copy(update=changes), channels, classes, MOTION_BLOCKS[options.motion])


def _apart(appearance: Tensor, motion: Tensor) -> Tensor:
    """B2, where the streams meet in their scores alone."""
    return appearance
