"""ATTP: I-pictures, motion vectors and residuals fused by trilinear pooling (Huo et al. 2020).

Three EfficientNets turn the image I, the motion field MV and the residual R into feature maps of c channels at K
positions. Trilinear pooling multiplies their projections and sums over positions,

    f_TP(I, MV, R) = sum_i  1^T (U^T I_i * V^T MV_i * W^T R_i)        (eq. 4 to 6)
    f_TTP(t)       = f_TP(I_t, MV_t, R_t) + f_TP(I_t+dt, MV_t, R_t)   (eq. 7)
    s(t)           = P^T f(t),  f = l2(sign(f_TTP) sqrt|f_TTP|)

with U, V, W in R^(c x d x D) and without bias. The paper normalises "the trilinear vector" before it introduces
eq. 7 and does not say whether eq. 7 adds raw or normalised vectors. Here the raw ones are added and the sum is
rooted and normalised once: f_TTP then keeps the magnitudes that eq. 7 weighs against each other, the classifier sees
vectors of one length in TP and TTP alike, and, f_TP being linear in I, the sum is one pooling with I_t + I_t+dt.

P is kept as `classifier.weight / sqrt(D)`: an l2-normalised vector has elements of about 1 / sqrt(D), and without
that factor the scores of a new network would stay too close to 0 for many epochs.

Fusion "bp" is the row BP of table 3 (section 4.4): compact bilinear pooling (Gao et al. 2016) of the pairs (I, MV),
(I, R) and (MV, R), a classifier on each pair's vector, rooted and normalised as above, and the three scores summed.
Gao et al. give two projections, Tensor Sketch and Random Maclaurin; which one was taken is not said. Here it is
Random Maclaurin, phi(x, y) = (W_x x * W_y y) / sqrt(D) with fixed random signs W: 1 x 1 convolutions, where Tensor
Sketch needs Fourier transforms, which the stages' operators (ONNX 13, TensorRT 8.2) have not. Either estimates the
same inner products. Each modality has one W for both of its pairs: a pair's two are independent, which is all the
estimate needs, and an I-picture is projected once. D is `dim`, so that the table's rows compare vectors of one length.

With `exits` a run may stop after MV, or after MV and R, at linear layers on the means of what fusion takes of these
branches (nets/exits.py); the fusion of all three is the last exit. The loss `exits` trains them.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any, Dict, List, Literal, Mapping, Optional, Tuple, Union

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn

from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import unknown_name
from edgecvar.nets.backbones.efficientnet import BACKBONES, BackboneOptions, EfficientNet, backbone_options, map_side
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.exits import ExitHead, exit_name, in_exit_order, with_exits
from edgecvar.nets.features import Features, LayerPair
from edgecvar.nets.modules.attp_fusion import BilinearFusion, LinearFusion, TrilinearFusion
from edgecvar.nets.modules.lite_net import LastLayer, LiteNet
from edgecvar.nets.modules.pooling import Projection, RandomSigns, trilinear_pool
from edgecvar.nets.modules.temporal_shift import Kept, past_shapes, past_states, shifted, within_clips
from edgecvar.nets.stages import MODALITIES, joining, opening, stage_output
from edgecvar.nets.temporal import PictureNetwork, Temporal, temporal_options

USED = {
    "i": ("appearance",),
    "mv": ("motion",),
    "r": ("residual",),
    "late": tuple(MODALITIES),
    "bp": tuple(MODALITIES),
    "tp": tuple(MODALITIES),
    "ttp": tuple(MODALITIES),
}
"""The branches of each fusion."""


class AttpOptions(BaseModel):
    """`fusion`: one modality, late fusion, compact bilinear or (temporal) trilinear pooling. `dim`: D.

    `factor`: d of eq. 3, of trilinear pooling alone. `temporal`: how the scores of pictures become a clip's.
    `exits`: a run may stop after MV, or after MV and R.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: BackboneOptions = BACKBONES["efficientnet_b1"]
    fusion: Literal["i", "mv", "r", "late", "bp", "tp", "ttp"] = "ttp"
    dim: int = Field(default=1000, ge=1, le=16384)
    factor: int = Field(default=1, ge=1, le=16)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    temporal: Temporal = "average"
    exits: bool = False

    _named_temporal = field_validator("temporal", mode="before")(temporal_options)
    _named_backbone = field_validator("backbone", mode="before")(backbone_options)

    @field_validator("fusion", mode="before")
    @classmethod
    def _known_fusion(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in USED:
            raise unknown_name("fusion", value, USED)
        return value

    @model_validator(mode="after")
    def _something_to_leave_out(self) -> AttpOptions:
        if self.exits and len(USED[self.fusion]) == 1:
            raise ValueError(f"exits: fusion {self.fusion} has nothing to leave out; take late, bp, tp or ttp")
        if self.exits and self.temporal != "average":
            raise ValueError("exits: what is left out must not be remembered; take temporal: average")
        return self

    @property
    def projected(self) -> int:
        """Channels of the maps that are pooled; 0 where none are."""
        return {"bp": self.dim, "tp": self.dim * self.factor, "ttp": self.dim * self.factor}.get(self.fusion, 0)


class Branch(nn.Module):
    """A backbone and what fusion takes of it: maps projected to d * D channels, or without `projection` the mean.

    With `shifts` its blocks see the picture before, and in a stage take what they kept of it and give what they keep.
    """

    def __init__(self, backbone: EfficientNet, projection: Optional[nn.Conv2d], shifts: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = projection
        self.shifts = shifts

    def forward(self, prepared: Tensor, *pasts: Tensor) -> Union[Tensor, Tuple[Tensor, ...]]:
        if not self.shifts:
            return self.fusion_input(self.backbone(prepared))
        kept = Kept(pasts)
        return (self.fusion_input(shifted(self.backbone.features, prepared, kept)), *kept.newest)

    def maps(self, clips: Tensor) -> Tensor:
        """The backbone's feature maps (N * T, c, h', w') of prepared clips (N, T, ...)."""
        before = within_clips(clips.shape[1]) if self.shifts else None
        return shifted(self.backbone.features, clips.flatten(0, 1), before)

    def states(self, spec: InputSpec) -> Dict[str, List[int]]:
        """Shapes by name of what the blocks keep."""
        return past_states(past_shapes(self.backbone.features, spec.height, spec.width)) if self.shifts else {}

    def fusion_input(self, maps: Tensor) -> Tensor:
        """What fusion takes of the feature maps (B, c, h', w')."""
        return maps.mean((2, 3)) if self.projection is None else self.projection(maps)


class Attp(PictureNetwork):
    """The whole network; `classes` scores from inputs of `spec`'s size."""

    def __init__(self, options: AttpOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.used = USED[options.fusion]
        branches = [_branch(name, options, spec) for name in self.used]
        for name, branch in zip(self.used, branches):
            self.add_module(name, branch)
        self.channels = branches[0].backbone.channels
        self.fuse: nn.Module
        if options.fusion == "bp":
            self.fuse = BilinearFusion(options.dim, classes, options.dropout)
        elif options.projected:
            self.fuse = TrilinearFusion(options.dim, options.factor, classes, options.dropout)
        else:
            self.fuse = LinearFusion(self.used, self.channels, classes, options.dropout)
        taken = options.projected or self.channels
        for seen, name in enumerate(self.exit_streams, 1):
            self.add_module(exit_name(name), ExitHead(self.exit_streams[:seen], taken, classes, options.dropout))

    @property
    def exit_streams(self) -> List[str]:
        """The branches after which a run may stop, with those before them."""
        return in_exit_order(self.used)[:-1] if self.options.exits else []

    def stage_modules(self) -> Mapping[str, nn.Module]:
        exits = map(exit_name, self.exit_streams)
        return {name: self.get_submodule(name) for name in (*self.used, *exits, "fuse")}

    def stages(self) -> List[StageSpec]:
        shape = self._branch_shape()
        states = {name: self.stage(name).states(self.spec) for name in self.used}
        branches = {name: opening(name, MODALITIES[name], self.spec, shape, states[name]) for name in self.used}
        fused = [stage_output(name, shape) for name in self.used]
        if self.options.fusion == "ttp":
            fused.insert(1, StageInput(name="adjacent", source="appearance", gop="adjacent", shape=shape))
        fuse = joining("fuse", fused, [self.classes])
        if self.options.exits:
            return with_exits(branches, fuse, self.classes, scored=False)
        return [*branches.values(), fuse]

    def _branch_shape(self) -> List[int]:
        if not self.options.projected:
            return [self.channels]
        return [self.options.projected, map_side(self.spec.height), map_side(self.spec.width)]

    def forward(self, batch: ClipBatch) -> Tensor:
        return self.features(batch).scores

    def features(self, batch: ClipBatch) -> Features:
        return AttpFeatures(self, batch)

    def each_picture(self, batch: ClipBatch) -> Tensor:
        return AttpFeatures(self, batch).each_picture

    def companion(self, name: str) -> nn.Module:
        """The teacher of eq. 8, which starts from the motion branch's weights, or the last layer of its pupil."""
        if name not in ("teacher", "student") or "motion" not in self.used:
            return super().companion(name)
        last = LastLayer(self.channels, self.classes, self.options.dropout)
        return last if name == "student" else LiteNet(copy.deepcopy(self.stage("motion").backbone), last)


class AttpFeatures(Features):
    """Scores, and the motion branch's features before its last layer and, where it has one, after (eq. 8)."""

    def __init__(self, network: Attp, batch: ClipBatch) -> None:
        self._network, self._batch = network, batch

    @cached_property
    def scores(self) -> Tensor:
        return self._batch.mean(self.each_picture)  # (N, classes)

    @cached_property
    def each_picture(self) -> Tensor:
        """(N, T, classes)"""
        scores = self._pooled_scores() if self._network.options.projected else self._linear_scores()
        every: Tensor = scores.unflatten(0, self._batch.motion.shape[:2])
        return every

    @cached_property
    def motion(self) -> Optional[LayerPair]:
        network = self._network
        if "motion" not in network.used:
            return None
        heads = None if network.options.projected else network.stage("fuse").heads
        return LayerPair(self._maps, None if heads is None else heads["motion"](self._maps.mean((2, 3))))

    @cached_property
    def exits(self) -> Tuple[Tensor, ...]:
        """Of each picture (N, T, classes): after MV, after MV and R, and of the whole."""
        network, lead = self._network, self._batch.motion.shape[:2]
        if not network.exit_streams:
            return ()
        given = {"motion": self._motion_input, "residual": self._residual_input}
        before = [given[name] for name in network.exit_streams]
        early = [network.stage(exit_name(name))(*before[:seen]) for seen, name in enumerate(network.exit_streams, 1)]
        return (*(scores.unflatten(0, lead) for scores in early), self.each_picture)

    @cached_property
    def _motion_input(self) -> Tensor:
        """V^T MV_t, or what else fusion takes of the motion branch."""
        taken: Tensor = self._network.stage("motion").fusion_input(self._maps)
        return taken

    @cached_property
    def _residual_input(self) -> Tensor:
        """W^T R_t, or what else fusion takes of the residual branch."""
        branch = self._network.stage("residual")
        taken: Tensor = branch.fusion_input(branch.maps(self._batch.residual))
        return taken

    @cached_property
    def _maps(self) -> Tensor:
        """The motion branch's, which both scores and motion are made of."""
        maps: Tensor = self._network.stage("motion").maps(self._batch.motion)
        return maps

    def _linear_scores(self) -> Tensor:
        """Of all N * T samples."""
        network = self._network
        means = []
        for name in network.used:
            if name == "appearance":
                stage = network.stage(name)
                means.append(stage.fusion_input(stage.maps(self._batch.image)))
            else:
                means.append(self._motion_input if name == "motion" else self._residual_input)
        scores: Tensor = network.stage("fuse")(*means)
        return scores

    def _pooled_scores(self) -> Tensor:
        """Eq. 4 to 7, or the sum over pairs, of all N * T samples."""
        network, batch = self._network, self._batch
        motion, residual = self._motion_input, self._residual_input
        images = [batch.image.flatten(0, 1)]
        if network.options.fusion == "ttp":
            images.append(batch.adjacent_image.flatten(0, 1))
        projected = network.stage("appearance")(torch.cat(images)).chunk(len(images))  # U^T I_t, U^T I_t+dt
        if network.options.fusion == "bp":
            summed: Tensor = network.stage("fuse")(*projected, motion, residual)
            return summed
        pooled = [trilinear_pool(image, motion, residual, network.options.factor) for image in projected]
        scores: Tensor = network.stage("fuse").scores(torch.stack(pooled).sum(0))
        return scores


def _branch(name: str, options: AttpOptions, spec: InputSpec) -> Branch:
    backbone = EfficientNet(options.backbone, in_channels=spec.shape(MODALITIES[name])[0])
    shifts = options.temporal == "online_shift" and name != "appearance"
    if not options.projected:
        return Branch(backbone, None, shifts)
    projection = RandomSigns if options.fusion == "bp" else Projection
    return Branch(backbone, projection(backbone.channels, options.projected), shifts)
