"""TEAM-Net: three backbones that TEAM modules join on the way, trained end to end (Wang et al. 2021).

A sampled picture is one GOP's I-picture, motion field and residual. Each has a backbone of its own; after stages 1
to 4 of five a TEAM module (`team_module`) weights the maps of all three by what they show together. Each backbone ends
in its own classifier; the scores of one sample are the sum of the three, those of a clip the mean over its T samples.

With ResNet-50 / 18 / 18 and 224 x 224 the maps have these sizes; what appendix A's Table 2 prints differently is in
brackets. A TEAM module changes none.

    conv1, pool1    64 x 56 x 56      64 x 56 x 56
    res2           256 x 56 x 56      64 x 56 x 56
    res3           512 x 28 x 28     128 x 28 x 28
    res4          1024 x 14 x 14     256 x 14 x 14    [I: 512 channels; MV and R after TEAM: 28 x 28]
    res5          2048 x  7 x  7     512 x  7 x  7

512 channels in res4 would make it another network than the ResNet-50 that the text names, and a 28 x 28 map after
TEAM would have to grow. (Appendix B's Table 1 prints +3.0 for 70.7 to 74.3 on HMDB-51, which is +3.6.)

What the paper leaves open, and what is chosen:

- The text puts the first TEAM module "after Conv1", Table 2 after the pooling that follows: the table is taken.
- How three scores become one: the table has one row, "T x CLS". They are added, as in the authors' published code,
  which also has the dropout of 0.5 before the classifiers. That code normalises MV and R by a batch norm first; the
  paper does not say so and prepared inputs have a unit already, so here there is none.
- EfficientNet is not in the paper, which says that more advanced backbones would help. ResNet's stages end where the
  resolution is about to fall. `team` cuts EfficientNet (Tan and Le 2019, Table 1) in the same way: 1 is the stem
  (1/2, 32 channels; there is no pooling), 2 ends at 1/4 (24), 3 at 1/8 (40), 4 at 1/16 (112), 5 at 1/32 (320), and
  the last 1 x 1 convolution belongs to the classifier. Its own stages 2, 3 and 4 would all lie in the first quarter.
- TSM (Lin et al. 2019) in appendix B: offline, an eighth of the channels from the next and an eighth from the previous
  sample, in the residual branch of every block, in all three backbones.
- `team` has it online, from the previous sampled picture alone, in the blocks with a shortcut that run once a sampled
  picture: all of MV and R, and of I those behind the first TEAM module, as those before it run once a GOP.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Dict, List, Literal, Mapping, Optional, Sequence, Tuple, Union

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import unknown_name
from edgecvar.nets.backbones.efficientnet import BACKBONES, BackboneOptions, EfficientNet, backbone_options
from edgecvar.nets.backbones.resnet import RESNETS, ResNet, ResNetOptions, resnet_options
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.modules.team_module import ARRANGEMENTS, TeamModule
from edgecvar.nets.modules.temporal_shift import (
    Before,
    Kept,
    past_shapes,
    past_states,
    shift_clips,
    shifted,
    within_clips,
)
from edgecvar.nets.stages import MODALITIES, joining, opening, prepared_input, stage_output
from edgecvar.nets.temporal import ClipOptions, PictureNetwork, Temporal, temporal_options

PLACES = (1, 2, 3, 4, 5)
"""The stages of Table 4: the stem and res2 to res5."""


class FusionOptions(BaseModel):
    """Where the TEAM modules are and what they are.

    `arrangement`: Table 3. `places`: Table 4; none leaves three networks that share only the sum of their scores.
    `reduction`: r of eq. 2. `dropout`: before the classifiers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arrangement: Literal["c", "s", "c+s", "s->c", "c->s"] = "c->s"
    places: Tuple[int, ...] = (1, 2, 3, 4)
    reduction: int = Field(default=4, ge=1, le=64)
    dropout: float = Field(default=0.5, ge=0, lt=1)

    @field_validator("arrangement", mode="before")
    @classmethod
    def _known_arrangement(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in ARRANGEMENTS:
            raise unknown_name("arrangement", value, ARRANGEMENTS)
        return value

    @field_validator("places")
    @classmethod
    def _known_places(cls, places: Tuple[int, ...]) -> Tuple[int, ...]:
        if sorted(set(places)) != list(places) or not set(places) <= set(PLACES):
            raise ValueError("places are different stages from 1 to 5 in order")
        return places


class TeamOptions(FusionOptions):
    """TEAM with an EfficientNet for each modality; `temporal`: how the scores of pictures become a clip's."""

    appearance: BackboneOptions = BACKBONES["efficientnet_b1"]
    motion: BackboneOptions = BACKBONES["efficientnet_b0"]
    residual: BackboneOptions = BACKBONES["efficientnet_b0"]
    temporal: Temporal = "average"

    _named_temporal = field_validator("temporal", mode="before")(temporal_options)
    _named_backbones = field_validator(*MODALITIES, mode="before")(backbone_options)


class TeamR50Options(FusionOptions, ClipOptions):
    """TEAM with the paper's ResNets. With `temporal` "tsm" the network looks at clips of `segments` samples."""

    appearance: ResNetOptions = RESNETS["resnet50"]
    motion: ResNetOptions = RESNETS["resnet18"]
    residual: ResNetOptions = RESNETS["resnet18"]
    temporal: Optional[Literal["tsm"]] = None

    _named_backbones = field_validator(*MODALITIES, mode="before")(resnet_options)


@dataclass(frozen=True)
class Pathway:
    """A backbone cut after each of its five stages; a sixth part is what it has between those and its classifier.

    `halved`: how often the maps' sides have been halved, rounded up, after each part.
    """

    parts: Tuple[nn.Module, ...]
    halved: Tuple[int, ...]

    @property
    def channels(self) -> List[int]:
        """Of the maps after each part."""
        convolutions = [[layer for layer in part.modules() if isinstance(layer, nn.Conv2d)] for part in self.parts]
        return [layers[-1].out_channels for layers in convolutions]

    def sides(self, parts: int, spec: InputSpec) -> Tuple[int, int]:
        """h and w of the maps after the first so many parts."""
        scale = 2 ** (0, *self.halved)[parts]
        return -(-spec.height // scale), -(-spec.width // scale)

    def shape(self, parts: int, spec: InputSpec) -> List[int]:
        """[channels, h, w] of the maps after the first so many parts, at least one."""
        return [self.channels[parts - 1], *self.sides(parts, spec)]


def cut(backbone: Union[EfficientNet, ResNet]) -> Pathway:
    """The backbone in parts; they share its weights."""
    if isinstance(backbone, EfficientNet):
        ends = [0, 1, 3, 4, 6, 8, 9]
        return Pathway(tuple(backbone.features[a:b] for a, b in zip(ends, ends[1:])), (1, 2, 3, 4, 5, 5))
    stem = nn.Sequential(backbone.conv1, backbone.bn1, backbone.relu, backbone.maxpool)
    return Pathway((stem, *backbone.layers()), (2, 2, 3, 4, 5))


class Joined(nn.Module):
    """The stage "fuse": maps of I, inputs MV and R, (B, ...) or with `segments` (B, T, ...), to scores (B, classes).

    Shifted online, its blocks take what they kept of the picture before behind these, and give what they keep.
    """

    def __init__(self, pathways: Sequence[Pathway], opened: int, network: Team) -> None:
        super().__init__()
        self.opened, self.segments, self.shifts = opened, network.segments, network.shifts
        self.appearance = nn.ModuleList(pathways[0].parts[opened:])
        self.motion = nn.ModuleList(pathways[1].parts)
        self.residual = nn.ModuleList(pathways[2].parts)
        self.team, self.heads = network.team, network.heads

    def forward(
        self, appearance: Tensor, motion: Tensor, residual: Tensor, *pasts: Tensor
    ) -> Union[Tensor, Tuple[Tensor, ...]]:
        if self.shifts:
            kept = Kept(pasts)
            return (self.scores([appearance, motion, residual], kept), *kept.newest)
        if self.segments is None:
            return self.scores([appearance, motion, residual])
        each_sample = self.scores([each.flatten(0, 1) for each in (appearance, motion, residual)])
        of_clips: Tensor = each_sample.unflatten(0, (-1, self.segments)).mean(1)
        return of_clips

    def each_picture(self, appearance: Tensor, motion: Tensor, residual: Tensor) -> Tensor:
        """Maps and inputs (N, T, ...) of clips to scores (N, T, classes) of their pictures."""
        before = within_clips(motion.shape[1]) if self.shifts else None
        scores = self.scores([each.flatten(0, 1) for each in (appearance, motion, residual)], before)
        every: Tensor = scores.unflatten(0, motion.shape[:2])
        return every

    def scores(self, maps: List[Tensor], before: Optional[Before] = None) -> Tensor:
        """Of maps of I and inputs MV and R, (B, ...) each."""
        rest = [*[nn.Identity()] * self.opened, *self.appearance]
        for place, parts in enumerate(zip(rest, self.motion, self.residual), 1):
            maps = [shifted(part, each, before) for part, each in zip(parts, maps)]
            if str(place) in self.team:
                maps = self.team[str(place)](maps)
        return torch.stack([head(each.mean((2, 3))) for head, each in zip(self.heads.values(), maps)]).sum(0)


def joined_states(pathways: Sequence[Pathway], opened: int, spec: InputSpec) -> Dict[str, List[int]]:
    """Shapes by name of what the blocks of Joined keep, in the order in which it runs them."""
    shapes: List[List[int]] = []
    for place in range(len(pathways[0].parts)):
        for pathway in pathways if place >= opened else pathways[1:]:
            shapes += past_shapes(pathway.parts[place], *pathway.sides(place, spec))
    return past_states(shapes)


class Team(PictureNetwork):
    """The whole network; `classes` scores from inputs of `spec`'s size."""

    def __init__(self, options: Union[TeamOptions, TeamR50Options], spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.segments = options.segments if isinstance(options, TeamR50Options) else None
        self.shifts = options.temporal == "online_shift"
        for name, source in MODALITIES.items():
            self.add_module(name, _backbone(getattr(options, name), spec.shape(source)[0], self.segments))
        pathways = [cut(getattr(self, name)) for name in MODALITIES]
        channels = [pathway.channels for pathway in pathways]
        self.team = nn.ModuleDict()
        for place in options.places:
            joint = [each[place - 1] for each in channels]
            self.team[str(place)] = TeamModule(joint, options.arrangement, options.reduction)
        self.heads = nn.ModuleDict()
        for name, each in zip(MODALITIES, channels):
            self.heads[name] = nn.Sequential(nn.Dropout(options.dropout), nn.Linear(each[-1], classes))
        opened = min(options.places, default=len(pathways[0].parts)) if self.segments is None else 1
        self._opened_shape = pathways[0].shape(opened, spec)
        # Not registered: their layers are the backbones' own, which keep the names that torchvision publishes.
        self._stages: Dict[str, nn.Module] = {
            "appearance": nn.Sequential(OrderedDict(backbone=nn.Sequential(*pathways[0].parts[:opened]))),
            "fuse": Joined(pathways, opened, self),
        }
        self._states = joined_states(pathways, opened, spec) if self.shifts else {}

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return self._stages

    def stages(self) -> List[StageSpec]:
        opened = stage_output("appearance", self._opened_shape, self.segments)
        moving = [prepared_input(source, self.spec, self.segments) for source in ("motion", "residual")]
        return [
            opening("appearance", "image", self.spec, self._opened_shape),
            joining("fuse", [opened, *moving], [self.classes], self._states),
        ]

    def forward(self, batch: ClipBatch) -> Tensor:
        if self.segments is None:
            return batch.mean(self.each_picture(batch))  # (N, classes)
        clips, samples = batch.motion.shape[:2]
        opened = self.stage("appearance")(batch.image.flatten(0, 1))
        self.check_clip(samples, self.segments)
        of_clips: Tensor = self.stage("fuse")(opened.unflatten(0, (clips, samples)), batch.motion, batch.residual)
        return of_clips

    def each_picture(self, batch: ClipBatch) -> Tensor:
        opened = self.stage("appearance")(batch.image.flatten(0, 1))
        opened = opened.unflatten(0, batch.image.shape[:2])
        every: Tensor = self.stage("fuse").each_picture(opened, batch.motion, batch.residual)
        return every


def _backbone(options: Union[BackboneOptions, ResNetOptions], channels: int, segments: Optional[int]) -> nn.Module:
    if isinstance(options, BackboneOptions):
        return EfficientNet(options, in_channels=channels)
    backbone = ResNet(options, in_channels=channels)
    if segments is not None:
        shift_clips(backbone, segments)
    return backbone
