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
"""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Literal, Optional, Tuple

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import unknown_name
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.efficientnet import BACKBONES, BackboneOptions, EfficientNet, backbone_options, map_side
from edgecvar.nets.features import Features, LayerPair
from edgecvar.nets.network import Network
from edgecvar.nets.pooling import Projection, signed_root, trilinear_pool, unit_length

BRANCHES = {"appearance": "image", "motion": "motion", "residual": "residual"}
"""Each branch and the prepared input that it reads."""

INPUT_NAMES = {"image": "image", "motion": "velocity", "residual": "difference"}
"""What a branch's tensor is called: a stage's output has the stage's name, and no tensor may have the same."""

USED = {
    "i": ("appearance",),
    "mv": ("motion",),
    "r": ("residual",),
    "late": tuple(BRANCHES),
    "tp": tuple(BRANCHES),
    "ttp": tuple(BRANCHES),
}
"""The branches of each fusion."""


class AttpOptions(BaseModel):
    """`fusion`: one modality, late fusion, or (temporal) trilinear pooling. `dim`: D. `factor`: d of eq. 3."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: BackboneOptions = BACKBONES["efficientnet_b1"]
    fusion: Literal["i", "mv", "r", "late", "tp", "ttp"] = "ttp"
    dim: int = Field(default=1000, ge=1, le=16384)
    factor: int = Field(default=1, ge=1, le=16)
    dropout: float = Field(default=0.2, ge=0, lt=1)

    _named_backbone = field_validator("backbone", mode="before")(backbone_options)

    @field_validator("fusion", mode="before")
    @classmethod
    def _known_fusion(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in USED:
            raise unknown_name("fusion", value, USED)
        return value

    @property
    def trilinear(self) -> bool:
        return self.fusion in ("tp", "ttp")


class Branch(nn.Module):
    """A backbone and what fusion takes of it: maps projected to d * D channels, or without `projection` the mean."""

    def __init__(self, backbone: EfficientNet, projection: Optional[Projection]) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = projection

    def forward(self, prepared: Tensor) -> Tensor:
        return self.taken(self.backbone(prepared))

    def taken(self, maps: Tensor) -> Tensor:
        """What fusion takes of the feature maps (B, c, h', w')."""
        return maps.mean((2, 3)) if self.projection is None else self.projection(maps)


class LastLayer(nn.Module):
    """Feature maps (B, c, h', w') to class scores: a LiteNet's fully connected layer (eq. 8, f^(fc))."""

    def __init__(self, channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, classes)

    def forward(self, maps: Tensor) -> Tensor:
        scores: Tensor = self.linear(self.dropout(maps.mean((2, 3))))
        return scores


class LiteNet(nn.Module):
    """LiteNet_OF, the teacher: optical flow (B, 2, h, w) to features before and after its last layer (eq. 8)."""

    def __init__(self, backbone: EfficientNet, last: LastLayer) -> None:
        super().__init__()
        self.backbone, self.last = backbone, last

    def forward(self, flow: Tensor) -> LayerPair:
        maps = self.backbone(flow)
        return LayerPair(maps, self.last(maps))


class LinearFusion(nn.Module):
    """Class scores of one modality, or the scores of several added (the paper's I+MV+R): (B, c) each."""

    def __init__(self, branches: Tuple[str, ...], channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(channels, classes) for name in branches})

    def forward(self, *means: Tensor) -> Tensor:
        scores = [head(self.dropout(mean)) for head, mean in zip(self.heads.values(), means)]
        return torch.stack(scores).sum(0)


class TrilinearFusion(nn.Module):
    """Projected maps (B, d * D, h', w') of I_t, with eq. 7 also I_t+dt, then MV and R, to class scores."""

    def __init__(self, options: AttpOptions, classes: int) -> None:
        super().__init__()
        self.factor = options.factor
        self.scale = options.dim**0.5
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(options.dim, classes)

    def forward(self, *maps: Tensor) -> Tensor:
        *images, motion, residual = maps
        image = images[0] if len(images) == 1 else images[0] + images[1]  # f_TP is linear in I
        return self.scores(trilinear_pool(image, motion, residual, self.factor))

    def scores(self, pooled: Tensor) -> Tensor:
        """P^T f of the pooled vectors (B, D)."""
        unit = unit_length(signed_root(pooled))
        return self.classifier(self.dropout(unit * self.scale))


class Attp(Network):
    """The whole network; `classes` scores from inputs of `spec`'s size."""

    def __init__(self, options: AttpOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.used = USED[options.fusion]
        for name in self.used:
            self.add_module(name, _branch(name, options, spec))
        self.channels = self.stage(self.used[0]).backbone.channels
        self.fuse: nn.Module
        if options.trilinear:
            self.fuse = TrilinearFusion(options, classes)
        else:
            self.fuse = LinearFusion(self.used, self.channels, classes, options.dropout)

    def stage(self, name: str) -> Any:
        if name not in (*self.used, "fuse"):
            raise unknown_name("stage", name, (*self.used, "fuse"))
        return getattr(self, name)

    def stages(self) -> List[StageSpec]:
        stages = []
        for name in self.used:
            source = BRANCHES[name]
            taken = StageInput(name=INPUT_NAMES[source], source=source, shape=list(self.spec.shape(source)))
            cadence: Literal["gop", "picture"] = "gop" if name == "appearance" else "picture"
            stages.append(StageSpec(name=name, cadence=cadence, inputs=[taken], output_shape=self._branch_shape()))
        fused = [StageInput(name=name, source=name, shape=self._branch_shape()) for name in self.used]
        if self.options.fusion == "ttp":
            adjacent = {"name": "adjacent", "source": "appearance", "gop": "adjacent"}
            fused.insert(1, StageInput.model_validate({**adjacent, "shape": self._branch_shape()}))
        return [
            *stages,
            StageSpec(name="fuse", cadence="picture", inputs=fused, output_shape=[self.classes]),
        ]

    def _branch_shape(self) -> List[int]:
        if not self.options.trilinear:
            return [self.channels]
        channels = self.options.dim * self.options.factor
        return [channels, map_side(self.spec.height), map_side(self.spec.width)]

    def forward(self, batch: ClipBatch) -> Tensor:
        return self.features(batch).scores

    def features(self, batch: ClipBatch) -> Features:
        """Scores, and the motion branch's features before its last layer and, where it has one, after (eq. 8)."""
        maps: Dict[str, Tensor] = {}
        scores = self._trilinear_scores(batch, maps) if self.options.trilinear else self._linear_scores(batch, maps)
        clips, segments = batch.motion.shape[:2]
        averaged = scores.unflatten(0, (clips, segments)).mean(1)  # (N, classes)
        motion = maps.get("motion")
        if motion is None:
            return Features(averaged)
        after = None if self.options.trilinear else self.stage("fuse").heads["motion"](motion.mean((2, 3)))
        return Features(averaged, LayerPair(motion, after))

    def companion(self, name: str) -> nn.Module:
        """The teacher of eq. 8, which starts from the motion branch's weights, or the last layer of its pupil."""
        if name not in ("teacher", "student") or "motion" not in self.used:
            return super().companion(name)
        last = LastLayer(self.channels, self.classes, self.options.dropout)
        return last if name == "student" else LiteNet(copy.deepcopy(self.stage("motion").backbone), last)

    def _linear_scores(self, batch: ClipBatch, maps: Dict[str, Tensor]) -> Tensor:
        """Of all N * T samples; leaves the branches' feature maps in `maps`."""
        for name in self.used:
            maps[name] = self.stage(name).backbone(getattr(batch, BRANCHES[name]).flatten(0, 1))
        scores: Tensor = self.stage("fuse")(*(self.stage(name).taken(maps[name]) for name in self.used))
        return scores

    def _trilinear_scores(self, batch: ClipBatch, maps: Dict[str, Tensor]) -> Tensor:
        """Eq. 4 to 7 for all N * T samples; leaves the motion branch's feature maps in `maps`."""
        maps["motion"] = self.stage("motion").backbone(batch.motion.flatten(0, 1))
        motion = self.stage("motion").taken(maps["motion"])  # V^T MV_t
        residual = self.stage("residual")(batch.residual.flatten(0, 1))  # W^T R_t
        images = [batch.image.flatten(0, 1)]
        if self.options.fusion == "ttp":
            images.append(batch.adjacent_image.flatten(0, 1))
        projected = self.stage("appearance")(torch.cat(images)).chunk(len(images))  # U^T I_t, U^T I_t+dt
        pooled = [trilinear_pool(image, motion, residual, self.options.factor) for image in projected]
        scores: Tensor = self.stage("fuse").scores(torch.stack(pooled).sum(0))
        return scores


def _branch(name: str, options: AttpOptions, spec: InputSpec) -> Branch:
    backbone = EfficientNet(options.backbone, in_channels=spec.shape(BRANCHES[name])[0])
    if not options.trilinear:
        return Branch(backbone, None)
    outputs = options.dim * options.factor
    return Branch(backbone, Projection(backbone.channels, outputs))
