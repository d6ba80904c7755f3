"""CMR: a ResNet-50 whose blocks enhance channels and positions that move, from all of a clip (Wu et al. 2021).

Each block has, before its convolutions, Channel-wise Motion Enhancement and the Temporal Interaction Module of Liu et
al. 2020 (TEINet, section 3.2),

    z_t = W_1 x_t, k_t = W_2 x_t of the mean x_t of its maps over positions       (eq. 2, 3)
    d_tj = -k_t k_j^T, d'_t = softmax_j(d_tj)                                     (eq. 4)
    u_t = x_t * a_t, a_t = sigmoid(W_3 (z_t + sum_j d'_tj z_j))                   (eq. 1, 5, 6)
    y_t[c] = sum_k w[c, k] u_t+k-1[c], k = 0, 1, 2                                (TIM)

and the first of each layer ends in Spatial-wise Motion Enhancement:

    v_t = BN(Conv((1 - s_t) * x_t)) + x_t, s_t = cos(x_t, x_t+1) by position      (eq. 7, 8), s_T = s_T-1

Table 5's placements are `cme_at` and `sme_at`, every block or each layer's first; the paper's are all and part. `cme`
is a row of table 6: this module, or MEM or PEM in its place (`modules/channel_motion.py`), or none. Table 4's rows
leave out `tim`, and `cme` with `sme`.

What the paper leaves open, and what is chosen:

- CME and TIM act on the branch; the shortcut takes the block's input as it is, as in TEINet.
- Equations 2, 3 and 6 name weights and no biases, and there are none here. They read means, so r_1 and r_2 hardly
  change the cost (0.36 G at 1, 0.02 G at 8): the 55 to 32 G of table 3 cannot be of these equations. The authors'
  published code convolves the maps before it takes their means, with batch norm and ReLU between: one such convolution
  a block makes 24.8 G at 1, and 6.2, 3.1 and 1.5 G at 4, 8 and 16, which is nearer (it has two). The text is taken.
- SME is "at the end of the block": after its last ReLU, where no map is negative, s_t is in [0, 1] and 1 - s_t never
  turns a sign. Its 1 x 1 convolution "adjusts the scale", and is one weight a channel: a dense one on the blocks'
  256 to 2048 channels, as in the authors' code, adds 6.6 G, and table 1 prints 33 G for the whole, as for TIM alone.
  The batch norm after it makes all of it but its sign redundant. It starts at 1 and the norm at 0: pretrained weights
  begin as they are.
- TIM's start: an eighth of the channels from the next sample, an eighth from the one before, the others their own
  (the shift of Lin et al. 2019). Its 0.14 G are elementwise and not counted.
- Both starts are for published weights. `start: random` is for training without any: TIM's weights are drawn, for where
  each channel begins as one of the times no unit sees a feature at two of them, and SME's norm begins at 1.
- Scores of the T samples are averaged, as in all networks that the paper compares.

The paper reads decoded RGB frames, and so does `frames: all`: of a clip the sampled pictures themselves, for which
every picture of the stream is decoded. `frames: i` is the compressed option: the I-pictures of the sampled windows.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Dict, List, Literal, Mapping, Sequence

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import unknown_name
from edgecvar.nets.backbones.resnet import (
    EXPANSION,
    RESNETS,
    Bottleneck,
    ResNet,
    ResNetOptions,
    resnet_options,
    resnet_side,
)
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.modules.channel_motion import CHANNEL_MODULES
from edgecvar.nets.network import Network
from edgecvar.nets.stages import joining, opening, stage_output

SHIFTED_PART = 8
"""One in so many channels begins as that of the next sample, and one as that of the one before."""

NORM_FLOOR = 1e-3
"""Shorter features have no direction, and no similarity to any other; held by fp16."""


class CmrOptions(BaseModel):
    """`segments`: samples of a clip. `r1`, `r2`: reductions in CME, the first in MEM and PEM too (table 3).

    `cme`, `tim`, `sme`: tables 4 and 6; true is "cme" and false "none". `cme_at`, `sme_at`: table 5, the blocks of each
    layer that have the module, its first ("part") or all; `cme_at` is that of MEM and PEM too.
    `frames`: the sampled pictures, decoded, or the I-pictures of their windows, for which nothing is decoded beside.
    `start`: of TIM and SME, from published weights or from nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: ResNetOptions = RESNETS["resnet50"]
    segments: int = Field(default=8, ge=2, le=64)
    r1: int = Field(default=8, ge=1, le=64)
    r2: int = Field(default=8, ge=1, le=64)
    tim: bool = True
    cme: Literal["cme", "mem", "pem", "none"] = "cme"
    sme: bool = True
    cme_at: Literal["all", "part"] = "all"
    sme_at: Literal["all", "part"] = "part"
    frames: Literal["i", "all"] = "all"
    start: Literal["published", "random"] = "published"
    dropout: float = Field(default=0.5, ge=0, lt=1)

    _named_backbone = field_validator("backbone", mode="before")(resnet_options)

    @field_validator("cme", mode="before")
    @classmethod
    def _known_cme(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return "cme" if value else "none"
        if isinstance(value, str) and value not in CHANNEL_MODULES:
            raise unknown_name("cme", value, CHANNEL_MODULES)
        return value

    @field_validator("backbone")
    @classmethod
    def _has_bottlenecks(cls, backbone: ResNetOptions) -> ResNetOptions:
        if backbone.block != "bottleneck":
            raise ValueError("CMR blocks are bottlenecks; take resnet50, resnet101 or resnet152")
        return backbone


class TemporalInteraction(nn.Module):
    """TIM: maps (B * T, C, h, w) convolved along T, each channel with 3 weights of its own, zeros outside the clip."""

    def __init__(self, channels: int, segments: int) -> None:
        super().__init__()
        self.segments = segments
        self.weight = nn.Parameter(torch.zeros(3, channels, 1, 1))
        self.start("published")

    def start(self, kind: str) -> None:
        """The shift, or for "random" weights that keep a feature's size."""
        channels = self.weight.shape[1]
        part = channels // SHIFTED_PART
        with torch.no_grad():
            if kind == "random":
                self.weight.normal_(0, self.weight.shape[0] ** -0.5)
                return
            self.weight.zero_()
            self.weight[2, :part] = 1
            self.weight[0, part : 2 * part] = 1
            self.weight[1, 2 * part :] = 1

    def forward(self, maps: Tensor) -> Tensor:
        clips = maps.unflatten(0, (-1, self.segments))  # (B, T, C, h, w)
        nothing = torch.zeros_like(clips[:, :1])
        before = torch.cat([nothing, clips[:, :-1]], 1)
        after = torch.cat([clips[:, 1:], nothing], 1)
        mixed: Tensor = before * self.weight[0] + clips * self.weight[1] + after * self.weight[2]
        return mixed.flatten(0, 1)


class SpatialMotion(nn.Module):
    """SME (eq. 7, 8): maps (B * T, C, h, w) plus what of them does not stay alike from sample to sample."""

    def __init__(self, channels: int, segments: int) -> None:
        super().__init__()
        self.segments = segments
        self.conv = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def start(self, kind: str) -> None:
        """Weights with which v_t = x_t, or for "random" what is added has the size of x_t."""
        nn.init.ones_(self.conv.weight)
        nn.init.constant_(self.norm.weight, 1.0 if kind == "random" else 0.0)

    def forward(self, maps: Tensor) -> Tensor:
        clips = maps.unflatten(0, (-1, self.segments))  # (B, T, C, h, w)
        length = (clips * clips).sum(2, keepdim=True).clamp_min(NORM_FLOOR**2).sqrt()
        unit = clips / length
        alike = (unit[:, :-1] * unit[:, 1:]).sum(2, keepdim=True)  # (B, T - 1, 1, h, w), eq. 7
        alike = torch.cat([alike, alike[:, -1:]], 1).flatten(0, 1)
        out: Tensor = self.norm(self.conv(maps * (1 - alike))) + maps  # eq. 8
        return out


class CmrBlock(Bottleneck):
    """CMR-BlockA, and with SME at its end, as the first of a layer, CMR-BlockB (fig. 4 c); table 5 has others."""

    def __init__(self, inputs: int, channels: int, stride: int, options: CmrOptions) -> None:
        super().__init__(inputs, channels, stride)
        segments, first = options.segments, self.downsample is not None
        module = options.cme if first or options.cme_at == "all" else "none"
        self.cme = CHANNEL_MODULES[module](inputs, segments, options.r1, options.r2)
        self.tim = TemporalInteraction(inputs, segments) if options.tim else nn.Identity()
        outputs = channels * EXPANSION["bottleneck"]
        self.sme = (
            SpatialMotion(outputs, segments) if options.sme and (first or options.sme_at == "all") else nn.Identity()
        )

    def branch(self, maps: Tensor) -> Tensor:
        return super().branch(self.tim(self.cme(maps)))

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = self.sme(super().forward(maps))
        return out


class CmrClip(nn.Module):
    """The stage "clip": stem maps (B, T, C, h, w) through all blocks to scores (B, classes), averaged over T."""

    def __init__(self, layers: Sequence[nn.Module], head: nn.Module, segments: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(OrderedDict((f"layer{place}", layer) for place, layer in enumerate(layers, 1)))
        self.head, self.segments = head, segments

    def forward(self, maps: Tensor) -> Tensor:
        features = self.backbone(maps.flatten(0, 1)).mean((2, 3))  # (B * T, C)
        scores: Tensor = self.head(features).unflatten(0, (-1, self.segments)).mean(1)
        return scores


class Cmr(Network):
    """The whole network; `classes` scores of clips of `segments` images of `spec`'s size."""

    def __init__(self, options: CmrOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes

        def block(inputs: int, channels: int, stride: int) -> nn.Module:
            return CmrBlock(inputs, channels, stride, options)

        self.source = "frame" if options.frames == "all" else "image"
        self.backbone = ResNet(options.backbone, spec.shape(self.source)[0], make_block=block)
        for part in self.backbone.modules():
            if isinstance(part, (TemporalInteraction, SpatialMotion)):
                part.start(options.start)
        self.head = nn.Sequential(nn.Dropout(options.dropout), nn.Linear(self.backbone.channels, classes))
        stem = OrderedDict((name, getattr(self.backbone, name)) for name in ("conv1", "bn1", "relu", "maxpool"))
        # Not registered: their layers are the backbone's own, which keep the names that torchvision publishes.
        self._stages: Dict[str, nn.Module] = {
            "stem": nn.Sequential(OrderedDict(backbone=nn.Sequential(stem))),
            "clip": CmrClip(self.backbone.layers(), self.head, options.segments),
        }

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return self._stages

    def stages(self) -> List[StageSpec]:
        opened = [self.backbone.layer_channels[0], resnet_side(self.spec.height, 0), resnet_side(self.spec.width, 0)]
        stems = stage_output("stem", opened, self.options.segments, name="stems")
        return [opening("stem", self.source, self.spec, opened), joining("clip", [stems], [self.classes])]

    def forward(self, batch: ClipBatch) -> Tensor:
        pictures = batch.frame if self.source == "frame" else batch.image
        if pictures is None:
            raise ValueError("CMR with frames: all got a batch without decoded frames")
        clips, samples = pictures.shape[:2]
        self.check_clip(samples, self.options.segments)
        opened = self.stage("stem")(pictures.flatten(0, 1))
        scores: Tensor = self.stage("clip")(opened.unflatten(0, (clips, samples)))
        return scores
